"""What the thesis shows, item by item, and how much of it to compute."""
