/*
 * What integer programs do most: linked lists that are searched, reversed and sorted, small matrices, a state machine
 * over text, and a CRC over the results. All iterations do the same from the same data, so that the number of
 * instructions is a multiple of the number of iterations.
 */
#include "guest.h"

enum { NODES = 48, SIDE = 10, TEXT_BYTES = 256, SEARCHES = 12 };

struct node {
  struct node *next;
  u16 key;
  u16 value;
};

static struct node nodes[NODES];
static short left[SIDE][SIDE], right[SIDE][SIDE];
static i32 product[SIDE][SIDE];
static char text[TEXT_BYTES + 1];

static NOINLINE u16 crc16(u16 crc, u32 value) {
  for (int i = 0; i < 32; i++) {
    u16 bit = (u16)((crc ^ value) & 1);
    crc = (u16)(crc >> 1 ^ (bit ? 0xa001 : 0));
    value >>= 1;
  }
  return crc;
}

static NOINLINE struct node *make_list(u64 *seed) {
  for (int i = 0; i < NODES; i++) {
    nodes[i].next = i + 1 < NODES ? &nodes[i + 1] : 0;
    nodes[i].key = (u16)(next_random(seed) >> 20 & 0xff);
    nodes[i].value = (u16)i;
  }
  return nodes;
}

static NOINLINE struct node *reverse(struct node *list) {
  struct node *done = 0;
  while (list != 0) {
    struct node *next = list->next;
    list->next = done;
    done = list;
    list = next;
  }
  return done;
}

static NOINLINE struct node *find(struct node *list, u16 key) {
  while (list != 0 && list->key != key) list = list->next;
  return list;
}

static NOINLINE struct node *merge(struct node *a, struct node *b) {
  struct node head = {.next = 0};
  struct node *last = &head;
  while (a != 0 && b != 0) {
    struct node **smaller = b->key < a->key ? &b : &a;
    last->next = *smaller;
    last = *smaller;
    *smaller = last->next;
  }
  last->next = a != 0 ? a : b;
  return head.next;
}

static NOINLINE struct node *sort(struct node *list) {
  if (list == 0 || list->next == 0) return list;
  struct node *middle = list;
  for (struct node *end = list->next; end != 0 && end->next != 0; end = end->next->next) middle = middle->next;
  struct node *second = middle->next;
  middle->next = 0;
  return merge(sort(list), sort(second));
}

static NOINLINE u16 work_on_list(u64 *seed, u16 crc) {
  struct node *list = reverse(make_list(seed));
  for (u16 key = 0; key < SEARCHES; key++) {
    struct node *found = find(list, (u16)(key * 19));
    crc = crc16(crc, found != 0 ? found->value : 0xffff);
  }
  for (struct node *node = sort(list); node != 0; node = node->next) crc = crc16(crc, (u32)node->key << 16 | node->value);
  return crc;
}

static NOINLINE void multiply(void) {
  for (int row = 0; row < SIDE; row++)
    for (int column = 0; column < SIDE; column++) {
      i32 sum = 0;
      for (int i = 0; i < SIDE; i++) sum += left[row][i] * right[i][column];
      product[row][column] = sum;
    }
}

static NOINLINE u16 work_on_matrices(u64 *seed, u16 crc) {
  for (int row = 0; row < SIDE; row++)
    for (int column = 0; column < SIDE; column++) {
      u64 random = next_random(seed);
      left[row][column] = (short)random;
      right[row][column] = (short)(random >> 16);
    }
  multiply();
  i32 trace = 0;
  for (int row = 0; row < SIDE; row++)
    for (int column = 0; column < SIDE; column++) {
      i32 value = product[row][column];
      trace += value > 0 ? value >> 3 : (value & 0xff) / (column + 1);
    }
  return crc16(crc, (u32)trace);
}

static NOINLINE void make_text(u64 *seed) {
  static const char letters[] = "0123456789+-.eE,, x7";
  for (int i = 0; i < TEXT_BYTES; i++) text[i] = letters[(next_random(seed) >> 11) % (sizeof letters - 1)];
  text[TEXT_BYTES] = 0;
}

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, SCIENTIFIC, INVALID, STATES };

static NOINLINE enum state next_state(enum state state, char c) {
  int digit = c >= '0' && c <= '9';
  if (c == ',') return START;
  switch (state) {
  case START:
    return digit ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : INVALID;
  case SIGN:
    return digit ? INTEGER : c == '.' ? POINT : INVALID;
  case INTEGER:
    return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' || c == 'E' ? EXPONENT : INVALID;
  case POINT:
  case FRACTION:
    return digit ? FRACTION : state == FRACTION && (c == 'e' || c == 'E') ? EXPONENT : INVALID;
  case EXPONENT:
    return digit || c == '+' || c == '-' ? SCIENTIFIC : INVALID;
  case SCIENTIFIC:
    return digit ? SCIENTIFIC : INVALID;
  default:
    return INVALID;
  }
}

static NOINLINE u16 work_on_text(u64 *seed, u16 crc) {
  u32 visits[STATES];
  for (int i = 0; i < STATES; i++) visits[i] = 0;
  make_text(seed);
  enum state state = START;
  for (const char *at = text; *at != 0; at++) {
    state = next_state(state, *at);
    visits[state]++;
  }
  for (int i = 0; i < STATES; i++) crc = crc16(crc, visits[i]);
  return crc;
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  u64 checksum = 0;
  for (u64 i = 0; i < iterations; i++) {
    u64 seed = 88172645463325252;
    u16 crc = work_on_list(&seed, 0);
    crc = work_on_matrices(&seed, crc);
    crc = work_on_text(&seed, crc);
    checksum = fold(checksum, crc);
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){0, run}); }
