#define _GNU_SOURCE
#include "access.h"

#if defined(__x86_64__)

// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 and the opcode maps of appendix A. Of the whole instruction only the address of its memory
// operand is wanted.

typedef struct {
  const unsigned char *at;
  int base_extension, index_extension;
  int is_thread_local;
} cursor;

static uint64_t value(const greg_t *registers, int number) {
  static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return (uint64_t)registers[order[number]];
}

static int is_in(uint64_t address, const uint64_t (*ranges)[2], int count) {
  for (int i = 0; i < count; i++) {
    if (address >= ranges[i][0] && address < ranges[i][1]) return 1;
  }
  return 0;
}

// The address that a ModRM byte and what follows it name; 0 for a register, or an address relative to the instruction, where nothing is shared.
static uint64_t operand(const greg_t *registers, cursor c) {
  unsigned char modrm = *c.at++;
  int mod = modrm >> 6, rm = modrm & 7;
  if (mod == 3 || (mod == 0 && rm == 5)) return 0;
  uint64_t address = 0;
  int has_base = 1;
  if (rm == 4) {
    unsigned char sib = *c.at++;
    int index = ((sib >> 3) & 7) | c.index_extension << 3;
    rm = sib & 7;
    if (index != 4) address += value(registers, index) << (sib >> 6);
    has_base = !(rm == 5 && mod == 0);
  }
  if (has_base) address += value(registers, rm | c.base_extension << 3);
  if (mod == 1) address += (uint64_t)(int64_t)(signed char)*c.at;
  if (mod == 2 || !has_base) address += (uint64_t)(int64_t)*(const int *)c.at;
  return address;
}

static int has_operand(unsigned char opcode) {
  if (opcode < 0x40) return (opcode & 7) < 4;
  if (opcode >= 0x84 && opcode <= 0x8f) return opcode != 0x8d;
  return opcode == 0x63 || opcode == 0x69 || opcode == 0x6b || (opcode >= 0x80 && opcode <= 0x83) || opcode == 0xc0 || opcode == 0xc1 ||
         opcode == 0xc6 || opcode == 0xc7 || (opcode >= 0xd0 && opcode <= 0xd3) || (opcode >= 0xd8 && opcode <= 0xdf) || opcode == 0xf6 ||
         opcode == 0xf7 || opcode == 0xfe || opcode == 0xff;
}

// Of the opcodes that begin with 0F. Those for hints name memory and do not touch it.
static int has_operand_of_two_bytes(unsigned char opcode) {
  if ((opcode >= 0x80 && opcode <= 0x8f) || (opcode >= 0xc8 && opcode <= 0xcf) || (opcode >= 0x30 && opcode <= 0x37)) return 0;
  switch (opcode) {
    case 0x05: case 0x06: case 0x08: case 0x09: case 0x0b: case 0x0d: case 0x18: case 0x19: case 0x1a: case 0x1b: case 0x1c: case 0x1d:
    case 0x1e: case 0x1f: case 0x77: case 0xa0: case 0xa1: case 0xa2: case 0xa8: case 0xa9: case 0xaa: return 0;
    default: return 1;
  }
}

int cl_next_is_shared(const greg_t *registers, const uint64_t (*ranges)[2], int count) {
  cursor c = {(const unsigned char *)registers[REG_RIP], 0, 0, 0};
  for (;; c.at++) {
    unsigned char prefix = *c.at;
    if (prefix == 0x64 || prefix == 0x65) c.is_thread_local = 1;
    else if (prefix != 0x66 && prefix != 0xf2 && prefix != 0xf3 && prefix != 0xf0 && prefix != 0x2e && prefix != 0x36 && prefix != 0x3e &&
             prefix != 0x26 && prefix != 0x67) break;
  }
  if ((*c.at & 0xf0) == 0x40) {
    c.base_extension = *c.at & 1;
    c.index_extension = (*c.at >> 1) & 1;
    c.at++;
  }
  unsigned char opcode = *c.at++;
  int has = 0;
  if (opcode == 0xc4 || opcode == 0x62) {
    // VEX of three bytes, EVEX: the extensions are stored inverted.
    c.base_extension = !((*c.at >> 5) & 1);
    c.index_extension = !((*c.at >> 6) & 1);
    c.at += opcode == 0xc4 ? 2 : 3;
    c.at++;
    has = 1;
  } else if (opcode == 0xc5) {
    c.at++;
    has = *c.at++ != 0x77;
  } else if (opcode == 0x0f) {
    opcode = *c.at++;
    if (opcode == 0x05) return 1;
    if (opcode == 0x38 || opcode == 0x3a) {
      c.at++;
      has = 1;
    } else {
      has = has_operand_of_two_bytes(opcode);
    }
  } else if ((opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf)) {
    // Strings.
    return is_in((uint64_t)registers[REG_RSI], ranges, count) || is_in((uint64_t)registers[REG_RDI], ranges, count);
  } else {
    has = has_operand(opcode);
  }
  return has && !c.is_thread_local && is_in(operand(registers, c), ranges, count);
}

#endif
