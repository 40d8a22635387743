"""Speed on the machine at hand: the published way, ours, and what the processor can do; torch alone, no Ray."""
