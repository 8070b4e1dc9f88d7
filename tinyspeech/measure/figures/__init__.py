"""What measures the figures of data/results.json, by topic; `measure/registry.py` says which figure is whose.

Most are measured on one of these sets, which their `data` names in these words.
"""

SPEAKERS = "Speech Commands v0.01 subset, validation speakers"
RECORDINGS = f"{SPEAKERS}, 12 classes"
PICTURES = "Speech Commands v0.02 validation, log-mel set, 12 classes"
TEST_SET = "speech_commands_test_set_v0.02, 12 classes"
