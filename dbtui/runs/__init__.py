"""Runs seen from outside: start a trainer detached, find runs, follow one."""
