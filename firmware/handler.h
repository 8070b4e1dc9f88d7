/* What handler.S knows of struct listening (listen.h): where its fields lie, in bytes, and how many samples a frame has.
   listen.c asserts each. */
#ifndef TINYSPEECH_HANDLER_H
#define TINYSPEECH_HANDLER_H

#define HANDLER_CONVERSIONS 0
#define HANDLER_LOST 16
#define HANDLER_DUE 18 /* and with it, as the high byte of a halfword: */
#define HANDLER_ENDED 19
#define HANDLER_SERIAL 20
#define HANDLER_COMMAND 21
#define HANDLER_AT 24
#define HANDLER_MISSING 26
#define HANDLER_RING 28

#define HANDLER_RING_MASK 255
#define HANDLER_HOP 160
#define HANDLER_END 0x7f /* the byte that ends samples over the serial port */

#endif
