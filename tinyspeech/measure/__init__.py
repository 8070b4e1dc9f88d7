"""What is measured, and how: engines, the protocol of evaluation, cycles on the chip, figures of data/results.json.

The only room that sees both wings, the networks and the chip.
"""
