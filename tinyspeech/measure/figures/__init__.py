"""What measures the figures of data/results.json, by topic; `measure/registry.py` says which figure is whose."""
