"""An ESP32-WROOM as the board's microphone: I2S in, mu-law over the serial port, the board's words on the console.

MicroPython. Copy both files, reset, and see what the board hears:

    mpremote cp firmware/esp32/speech.py firmware/esp32/main.py : + reset
    mpremote

| microphone (INMP441 or like it) | ESP32 | | board (CH32V003) | ESP32 |
| --- | --- | --- | --- | --- |
| SCK | GPIO26 | | PD6, its RX | GPIO17, TX of UART 2 |
| WS | GPIO25 | | PD5, its TX | GPIO16, RX of UART 2 |
| SD | GPIO33 | | GND | GND |
| L/R | GND: the left channel | | 3.3 V | 3V3, or its own supply of 3.3 V |
| VDD | 3V3 | | | |
| GND | GND | | | |

Only one output may drive PD6. Where a USB programmer has its serial port on the same two pins, take its wires off; on
the VSDSquadron Mini they cannot be taken off (appendix on hardware and wiring). Chapter 14.
"""

import time

import speech
from machine import I2S, UART, Pin

RATE_HZ = 16000
"""The microphone's filters cut at 0.42 of it; the board's 8 kHz come out of our own filter, which training used."""
BACKLOG = 4
"""Blocks of 20 ms that the I2S driver may hold back while Python does something else."""


def main():
    i2s = I2S(0, sck=Pin(26), ws=Pin(25), sd=Pin(33), mode=I2S.RX, bits=32, format=I2S.MONO, rate=RATE_HZ,
              ibuf=BACKLOG * speech.BLOCK * 4)
    uart = UART(2, baudrate=115200, tx=17, rx=16, txbuf=1024, rxbuf=1024)
    ears = speech.Ears(i2s, uart, time, print, BACKLOG)
    while True:
        ears.step()


if __name__ == "__main__":
    main()
