"""The benchmark table: each figure beside a yardstick of the same run. `python -m bench` prints it."""
