"""Machine code that several tests of the core need."""


FAST = """
    .option norelax
    li a0, 0x40022000 # FLASH_ACTLR: one wait state
    li a1, 1
    sw a1, 0(a0)
    li a0, 0x40021000 # RCC: PLL on, then the system's clock
    li a1, 0x01000081
    sw a1, 0(a0)
    li a1, 2
    sw a1, 4(a0)
    ebreak
"""
HINTS = {  # encodings that the manual gives to hints: they retire and change nothing
    "c.nop with a constant": [0x0001 | imm << 2 for imm in range(1, 32)],
    "c.addi of 0": [0x0001 | rd << 7 for rd in range(1, 16)],
    "c.li to x0": [0x4001 | imm << 2 for imm in range(32)],
    "c.lui to x0": [0x6001 | imm << 2 for imm in range(1, 32)],
    "c.mv to x0": [0x8002 | rs2 << 2 for rs2 in range(1, 16)],
    "c.add to x0": [0x9002 | rs2 << 2 for rs2 in range(1, 16)],
    "c.slli of x0": [0x0002 | amount << 2 for amount in range(1, 32)],
    "shifts by 0": [0x0002 | 5 << 7, 0x8001 | 3 << 7, 0x8401 | 3 << 7],
}
RESERVED = {  # reserved, or of extensions that the core does not have
    "zero": [0x0000], "c.addi4spn of 0": [rd << 2 for rd in range(1, 8)],
    "c.addi16sp of 0": [0x6101], "c.lui of 0": [0x6001 | rd << 7 for rd in (1, 3, 8, 15)],
    "c.lwsp to x0": [0x4002 | 1 << 4, 0x4002], "c.jr x0": [0x8002],
    "shifts by 32 and more": [0x1002 | 5 << 7 | 1 << 2, 0x9001 | 3 << 7, 0x9401 | 3 << 7 | 31 << 2],
    "c.subw, c.addw and what follows": [0x9C01 | kind << 5 for kind in range(4)],
    "floating point of single precision": [f3 << 13 | quadrant for f3 in (3, 7) for quadrant in (0, 2)],
    "what WCH leaves of f3 = 4 of quadrant 0": [0x8000 | rest for rest in (0x0804, 0x0C00, 0x1000, 0x1C40)],
}
FIELDS = {  # instruction -> the shifts of the register fields that it has
    "lui": (0x37, (7,)), "auipc": (0x17, (7,)), "jal": (0x6F, (7,)), "jalr": (0x67, (7, 15)),
    **{f"branch {f3}": (0x63 | f3 << 12, (15, 20)) for f3 in (0, 1, 4, 5, 6, 7)},
    **{f"load {f3}": (0x03 | f3 << 12, (7, 15)) for f3 in (0, 1, 2, 4, 5)},
    **{f"store {f3}": (0x23 | f3 << 12, (15, 20)) for f3 in (0, 1, 2)},
    **{f"constant {f3}": (0x13 | f3 << 12, (7, 15)) for f3 in range(8)},
    **{f"registers {f3}": (0x33 | f3 << 12, (7, 15, 20)) for f3 in range(8)},
    "sub": (0x40000033, (7, 15, 20)), "sra": (0x40005033, (7, 15, 20)), "srai": (0x40005013, (7, 15)),
    "csrrw": (0x34001073, (7, 15)), "csrrwi": (0x34005073, (7,)),
}
