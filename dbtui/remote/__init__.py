"""Runs on other machines, over the system's own ssh: nothing of dbtui is needed there but the run's files.

`other_side.sh` is what runs there, in any POSIX shell; `session.py` speaks with it. `link.py` keeps a session to a
run whose events are followed (`follow.py`); `fetch.py` brings a run here.
"""
