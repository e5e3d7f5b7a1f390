"""The record: 99 % of the test digits in as little training as possible, and the proof that it is so."""
