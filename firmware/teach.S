/* A word taught on the chip, for RV32EC, by hand: the same integers as teach.c. Chapter "Your own words". What the network
   says of a take that it hears again, matching.S takes. */
#include "board.h"
#include "handler.h"
#include "model.h"
#include "teach.h"
#include "words.h"

#if MODEL_TEACHES
    .section .rodata.teach_lines, "a", @progbits
    .type teach_lines, @object
teach_lines:                    # TEACH_TAKE, the verdicts, TEACH_FULL and so on
    .asciz "take ", "ok ", "empty ", "cut ", "long ", "clipped ", "unlike ", "full ", "taught ", "forgot "
    .size teach_lines, . - teach_lines

    /* A line. a0 which; a1 the number in it. */
    .section .text.teach_tell, "ax", @progbits
    .type teach_tell, @function
teach_tell:
    lui a2, %hi(teach_lines)
    addi a2, a2, %lo(teach_lines)
    beqz a0, 2f
1:  lbu a3, 0(a2)
    addi a2, a2, 1
    bnez a3, 1b
    addi a0, a0, -1
    bnez a0, 1b
2:  mv a0, a2
    li a2, 10
    tail usart_say
    .size teach_tell, . - teach_tell

    /* a0 to; a1 from; a2 bytes. */
    .section .text.teach_move, "ax", @progbits
    .type teach_move, @function
teach_move:
    lbu a3, 0(a1)
    sb a3, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    bnez a2, teach_move
    ret
    .size teach_move, . - teach_move

    /* Between takes, and while the network hears one again, struct take is at `listening`; and while one is said, when the
       network is quiet, at `network`. s1 points there, at TAKE_REST where what follows uses that. */
    .section .text.teach, "ax", @progbits
    .globl teach
    .type teach, @function
teach:
    jal t0, __riscv_save_0
    li s1, TEACH_HELD           # seconds
3:  call usart_get              # one of them: the button bounces, and clicks
    bgez a0, out
    lui s0, %hi(words_pages)
    addi s0, s0, %lo(words_pages)
    lui a1, %hi(GPIOD_INDR)
    lw a1, %lo(GPIOD_INDR)(a1)
    andi a1, a1, BUTTON
    bnez a1, 2f
    addi s1, s1, -1
    bnez s1, 3b
    li s1, WORDS                # it is still held
4:  mv a0, s0                   # of the page only itself is kept, which is gone by then
    mv a1, s0
    call board_keep
    addi s0, s0, WORD_BYTES
    addi s1, s1, -1
    bnez s1, 4b
    li a0, TEACH_FORGOT
5:  li a1, WORDS
    j tell
2:  li s1, 16 * (TEACH_REFUSALS - 1) + 1 # the first free place, and above it how many refusals are left
1:  mv a0, s0
    call word_named
    beqz a0, 2f
    addi s0, s0, WORD_BYTES
    addi s1, s1, 1
    addi a0, s1, -16 * (TEACH_REFUSALS - 1) - 1 - WORDS
    bnez a0, 1b
    li a0, TEACH_FULL
    j 5b
2:  slli a0, s1, 8
    lui s1, %hi(listening)
    addi s1, s1, %lo(listening)
    sh a0, TAKE_COUNT(s1)       # and TAKE_PLACE

ask:
    lbu a1, TAKE_COUNT(s1)
    addi a1, a1, 1
    li a0, TEACH_TAKE
    call teach_tell
    li a0, 0
    call network_reset
    lui a0, %hi(network)
    addi a0, a0, %lo(network)
    mv a1, s1
    li a2, TAKE_FRAME
    call teach_move
    lui a0, %hi(GPIOD_OUTDR)
    li a1, LED | BUTTON | RECEIVER
    sw a1, %lo(GPIOD_OUTDR)(a0)
    li a0, 0
    call listen_start
    lui s1, %hi(network + TAKE_REST)
    addi s1, s1, %lo(network + TAKE_REST)
    addi s0, s1, TAKE_FEATURES  # where the next of a frame's two goes
frame:
    lui a0, %hi(work)
    addi a0, a0, %lo(work)
    call listen_frame
    beqz a0, verdict            # a byte came, or no samples
    lui a0, %hi(work)
    addi a0, a0, %lo(work)
    addi a2, a0, 2 * (HANDLER_RING_MASK + 1 - HANDLER_HOP)
    addi a3, a0, 2 * (HANDLER_RING_MASK + 1)
    li a5, TEACH_FULL_SCALE
    lw a4, TAKE_CLIPPED(s1)
1:  lhu a1, 0(a2)               # from there to its negative, modulo 2^16
    addi a2, a2, 2
    sub a1, a1, a5
    sltiu a1, a1, 65536 - 2 * TEACH_FULL_SCALE + 1
    add a4, a4, a1
    bne a2, a3, 1b
    sw a4, TAKE_CLIPPED(s1)
    mv a1, s0
    call frontend_frame
    addi s0, s0, 12
    addi a1, s1, TAKE_FEATURES + 24
    bne s0, a1, frame
    addi s0, s0, -24

    # Room, and the frame.
    lw a5, NETWORK_WORDS + WORDS_HISTORY - TAKE_REST(s1)
    slli a5, a5, 32 - 3 * WORD_QUIET
    bnez a5, 2f                 # something stands, and so all is kept
    lhu a1, TAKE_KEPT(s1)
    li a2, TEACH_LEAD * TEACH_FRAME_BYTES
    sub a1, a1, a2
    blez a1, 2f
    sh a2, TAKE_KEPT(s1)
    addi a0, s1, TAKE_FRAME - TAKE_REST
    add a1, a1, a0              # the last frames, to the first
    call teach_move
2:  lui a0, %hi(network + NETWORK_WORDS)
    addi a0, a0, %lo(network + NETWORK_WORDS)
    mv a1, s0
    call words_frame            # a0 stays; a1 goes on; t2: loudness
    lhu a4, TAKE_KEPT(s1)
    addi a5, a4, -TEACH_FRAMES * TEACH_FRAME_BYTES
    bgez a5, 4f                 # no room
    add a5, s1, a4
    addi a4, a4, TEACH_FRAME_BYTES
    sh a4, TAKE_KEPT(s1)
    addi a1, a1, -24
    li a3, 6
3:  lb a2, 0(a1)                # two coefficients, a nibble each
    lb a4, 12(a1)
    add a2, a2, a4
    srai a2, a2, 5
    andi a2, a2, 15
    lb a4, 1(a1)
    lb t1, 13(a1)
    add a4, a4, t1
    srai a4, a4, 5
    slli a4, a4, 4
    add a4, a4, a2
    sb a4, TAKE_FRAME - TAKE_REST(a5)
    addi a5, a5, 1
    addi a1, a1, 2
    addi a3, a3, -1
    bnez a3, 3b
    lw a4, WORDS_HISTORY(a0)
    andi a4, a4, 7
    sb a4, TAKE_FRAME - TAKE_REST(a5)

    # What is counted, and the verdict.
4:  addi a2, t2, 128
    lhu a4, TAKE_FRAMES(s1)
    bnez a4, 5f
    sb a2, TAKE_FIRST(s1)
5:  addi a4, a4, 1
    sh a4, TAKE_FRAMES(s1)
    lbu a5, TAKE_LOUDEST(s1)
    bge a5, a2, 6f
    sb a2, TAKE_LOUDEST(s1)
6:  xori a2, a2, 255
    lbu a5, TAKE_SOFTEST(s1)
    bge a5, a2, 7f
    sb a2, TAKE_SOFTEST(s1)
7:  lw a5, WORDS_HISTORY(a0)
    slli a5, a5, 32 - 3 * WORD_QUIET
    lbu a3, WORDS_LENGTH(a0)
    beqz a5, 8f
    addi a3, a3, -255           # it stands for too long
    bnez a3, frame
    li a0, TEACH_LONG
    j verdict
8:  lbu a5, WORDS_OVER(a0)
    sb zero, WORDS_OVER(a0)
    bnez a5, 9f
    sltiu a4, a4, TEACH_PATIENCE
    bnez a4, frame
    li a0, TEACH_EMPTY
    j verdict
9:  lw a4, TAKE_CLIPPED(s1)     # it is over
    li a0, TEACH_HARD
    addi a4, a4, -TEACH_CLIPPED
    bgez a4, verdict
    lbu a4, TAKE_LOUDEST(s1)
    lbu a2, TAKE_SOFTEST(s1)
    li a0, TEACH_CUT
    addi a2, a2, -255           # - softest loudness
    add a1, a4, a2
    sub a4, a4, a2
    srai a4, a4, 1
    addi a1, a1, -WORD_SPAN
    bltz a1, 1f
    lbu a1, TAKE_FIRST(s1)
    blt a4, a1, verdict
1:  li a0, TEACH_LONG
    li a4, WORD_LONGEST + WORD_QUIET
    blt a4, a3, verdict
    lhu a4, TAKE_KEPT(s1)
    add a4, a4, s1
    mv a3, s1
    li a1, TEACH_SHORTEST       # frames with weight that are missing
    li a2, 0                    # their weights, twice
    li a0, TEACH_OK
2:  lbu a5, TAKE_FRAME - TAKE_REST + TEACH_FRAME_BYTES - 1(a3)
    addi a3, a3, TEACH_FRAME_BYTES
    beqz a5, 3f
    addi a1, a1, -1
    sll a5, a0, a5
    add a2, a2, a5
3:  bne a3, a4, 2b
    bgtz a1, frame              # forgotten
    sh a2, TAKE_ALL(s1)
verdict:                        # or 0
    mv s0, a0
    call listen_stop
    lui s1, %hi(listening)
    addi s1, s1, %lo(listening)
    lbu a0, HANDLER_COMMAND(s1)
    lbu a1, HANDLER_ENDED(s1)
    bnez a1, out
    beqz s0, end
    mv a0, s1
    lui a1, %hi(network)
    addi a1, a1, %lo(network)
    li a2, TAKE_BYTES
    call teach_move
    addi a1, s0, -TEACH_OK
    bnez a1, told

    # The network hears the take for the first time, without a verdict, and with it for the second: then the sums grow.
    li s0, 0
hear:
    li a0, 0
    call network_reset
    lui a3, %hi(listening + TAKE_REST)
    addi a3, a3, %lo(listening + TAKE_REST)
    sb s0, TAKE_VERDICT(a3)
    lhu a4, TAKE_KEPT(a3)
    slli a4, a4, 1
    addi a4, a4, 4 * TEACH_FRAME_BYTES
    sh a4, TAKE_LEFT(a3)
    addi a4, a3, TAKE_BYTES - TAKE_REST
    addi a5, a3, TAKE_FILLED
1:  sh zero, 0(a5)
    addi a5, a5, 2
    bne a5, a4, 1b
    lui a4, %hi(network + NETWORK_WORDS)
    li a5, TAKE_SUMS
    sb a5, %lo(network + NETWORK_WORDS + WORDS_SUM)(a4)
    addi s0, a3, TAKE_FRAME - TAKE_REST
    li s1, 0                    # history of the frames before, whose are the vectors that the network has now
feed:                           # a frame, twice
    lui a0, %hi(network + NETWORK_WORDS)
    sw s1, %lo(network + NETWORK_WORDS + WORDS_HISTORY)(a0)
    lui a1, %hi(work)
    addi a1, a1, %lo(work)
    addi a0, a1, 2 * (HANDLER_RING_MASK + 1) - MODEL_INPUTS
    mv a5, a0
    li a4, 6
2:  lbu a2, 0(s0)
    addi s0, s0, 1
    slli a3, a2, 4
    addi a3, a3, 8
    sb a3, 0(a5)
    andi a2, a2, -16
    addi a2, a2, 8
    sb a2, 1(a5)
    addi a5, a5, 2
    addi a4, a4, -1
    bnez a4, 2b
    call network_frame
    lui a3, %hi(listening + TAKE_REST)
    addi a3, a3, %lo(listening + TAKE_REST)
    lhu a4, TAKE_LEFT(a3)
    addi a4, a4, -TEACH_FRAME_BYTES
    sh a4, TAKE_LEFT(a3)
    andi a5, a4, 1
    beqz a5, 3f
    addi s0, s0, -TEACH_FRAME_BYTES + 1
    j feed
3:  lbu a5, 0(s0)               # its code
    addi s0, s0, 1
    slli s1, s1, 3
    add s1, s1, a5
    bnez a4, feed

    addi a2, a3, -TAKE_REST
    lbu a4, TAKE_COUNT(a2)
    lbu s0, TAKE_VERDICT(a3)
    bnez s0, 5f
    li s0, TEACH_OK
    beqz a4, hear
    lhu a5, TAKE_UNLIKE(a3)
    li a1, WORD_PARTS * TEACH_UNLIKE # for each take before
    mv a0, a4
4:  sub a5, a5, a1
    addi a0, a0, -1
    bnez a0, 4b
    blez a5, hear
    li s0, TEACH_UNLIKE_OTHERS
    addi a4, a4, -1
    bnez a4, told
    sb a4, TAKE_COUNT(a2)       # it takes the place of the only one
    j hear
5:  addi a4, a4, 1
    sb a4, TAKE_COUNT(a2)

told:
    lui s1, %hi(listening)
    addi s1, s1, %lo(listening)
    lbu a1, TAKE_COUNT(s1)
    mv a0, s0
    call teach_tell
    addi s0, s0, -TEACH_EMPTY
    beqz s0, end
    bltz s0, 1f
    lbu a0, TAKE_PLACE(s1)      # refused
    addi a0, a0, -16
    sb a0, TAKE_PLACE(s1)
    bgez a0, ask
    j end
1:  lui a0, %hi(GPIOD_OUTDR)
    li a1, BUTTON | RECEIVER
    sw a1, %lo(GPIOD_OUTDR)(a0)
    call usart_get
    bgez a0, out
    lbu a1, TAKE_COUNT(s1)
    addi a1, a1, -TEACH_TAKES
    bnez a1, ask
    mv a0, s1
    lbu s1, TAKE_PLACE(s1)
    andi s1, s1, 15
    lui s0, %hi(work)
    addi s0, s0, %lo(work)
    li a1, 0x64726f77           # "word"
    sw a1, 0(s0)
    addi a1, s1, 0x30           # the place's digit, and zeros
    sw a1, 4(s0)
    li a1, TEACH_THRESHOLD << 8 # and the version
    sw a1, WORD_NAME_BYTES(s0)
    mv a1, s0
    call teach_parts
    mv a0, s0
    li a1, WORD_BYTES - 2
    call word_crc
    srli a4, a5, 24
    sb a4, WORD_BYTES - 2(s0)
    srli a5, a5, 16
    sb a5, WORD_BYTES - 1(s0)
    slli a0, s1, 6
    li a1, WORDS_PAGES - WORD_BYTES
    add a0, a0, a1
    mv a1, s0
    call board_keep
    li a0, TEACH_TAUGHT
    mv a1, s1
tell:
    call teach_tell
end:
    li a0, -1
out:
    j __riscv_restore_0
    .size teach, . - teach

    /* a0 word: whether it is whole, and has a name. */
    .section .text.word_whole, "ax", @progbits
    .globl word_named
    .type word_named, @function
word_named:
    lbu a1, 0(a0)
    bnez a1, whole
    li a0, 0
    ret
    .size word_named, . - word_named

    .globl word_whole
    .type word_whole, @function
word_whole:
whole:
    li a1, WORD_BYTES
word_crc:                       # and of the first a1 bytes the CRC, in the upper half of a5
    lbu t0, WORD_NAME_BYTES(a0) # the version, 0
    lui a5, 0xffff0
    lui a4, 0x10210
1:  lbu a2, 0(a0)
    addi a0, a0, 1
    slli a2, a2, 24
    xor a5, a5, a2
    li a3, 8
2:  srai a2, a5, 31
    and a2, a2, a4
    slli a5, a5, 1
    xor a5, a5, a2
    addi a3, a3, -1
    bnez a3, 2b
    addi a1, a1, -1
    bnez a1, 1b
    or t0, t0, a5
    seqz a0, t0
    ret
    .size word_whole, . - word_whole

    /* a0 take; a1 word, to which its parts come. */
    .section .text.teach_parts, "ax", @progbits
    .globl teach_parts
    .type teach_parts, @function
teach_parts:
    jal t0, __riscv_save_0
    addi a5, a1, WORD_NAME_BYTES + 2
    addi t2, a0, TAKE_SUMS + WORD_PARTS * WORD_VALUES
    addi a0, a0, TAKE_SUMS
1:  addi t1, a0, WORD_COEFFICIENTS
    addi t0, a0, WORD_VALUES
2:  li s0, 0x100                # bits of the next byte, above a 1
3:  lbu a2, 0(a0)
    addi a2, a2, TEACH_TAKES / 2
    li a4, -1                   # their quotient
4:  addi a4, a4, 1
    addi a2, a2, -TEACH_TAKES
    bgez a2, 4b
    li a1, 4                    # bits
    bltu a0, t1, 5f
    li a2, TEACH_LEVELS
    slli a4, a4, 1
    srl a4, a2, a4
    andi a4, a4, 3
    li a1, 2
5:  slli a4, a4, 12
    add s0, s0, a4
    srl s0, s0, a1
    addi a0, a0, 1
    andi a4, s0, 1
    beqz a4, 3b
    srli s0, s0, 4
    sb s0, 0(a5)
    addi a5, a5, 1
    bne a0, t0, 2b
    bne a0, t2, 1b
    j __riscv_restore_0
    .size teach_parts, . - teach_parts
#endif
