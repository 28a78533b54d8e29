"""Training is tested where PyTorch, its extra, is installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["test_model.py", "test_pack.py", "test_windows.py"]
