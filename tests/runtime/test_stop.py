import os
import signal
import threading

import pytest

from raymaml.runtime.stop import graceful_stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_only_asks(number):
    heard = []
    with graceful_stop(lambda: heard.append(number)) as stopping:
        assert not stopping()
        os.kill(os.getpid(), number)
        assert stopping()
    assert heard == [number]


def test_the_second_signal_raises():
    with graceful_stop():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_the_handlers_of_before_come_back():
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with graceful_stop():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before


def test_off_the_main_thread_there_is_nothing_to_hear():
    answers = []

    def work():
        with graceful_stop() as stopping:
            answers.append(stopping())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert answers == [False]
