/* Double precision: five bodies under each other's gravity, in made-up units, by the semi-implicit Euler method. */
#include "guest.h"

enum { BODIES = 5 };

static struct body {
  double x, y, z, vx, vy, vz, mass;
} bodies[BODIES];

static void prepare(void) {
  for (int i = 0; i < BODIES; i++) {
    double n = i;
    bodies[i] = (struct body){
        .x = n * 3.25 - 1, .y = n * n * 0.75, .z = 1.5 - n, .vx = 0.125 * (n - 2), .vy = 0.5 / (n + 1), .vz = 0.0625 * n};
    bodies[i].mass = i == 0 ? 40 : 1 / (n + 2);
  }
}

static inline void attract(struct body *a, struct body *b, double step) {
  double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
  /* Softened: bodies may pass through each other. */
  double squared = dx * dx + dy * dy + dz * dz + 0.01;
  double strength = step / (squared * __builtin_sqrt(squared));
  a->vx -= dx * b->mass * strength;
  a->vy -= dy * b->mass * strength;
  a->vz -= dz * b->mass * strength;
  b->vx += dx * a->mass * strength;
  b->vy += dy * a->mass * strength;
  b->vz += dz * a->mass * strength;
}

static NOINLINE void advance(double step) {
  for (int i = 0; i < BODIES; i++)
    for (int j = i + 1; j < BODIES; j++) attract(&bodies[i], &bodies[j], step);
  for (int i = 0; i < BODIES; i++) {
    bodies[i].x += step * bodies[i].vx;
    bodies[i].y += step * bodies[i].vy;
    bodies[i].z += step * bodies[i].vz;
  }
}

static u64 run(u64 iterations, u32 threads) {
  (void)threads;
  for (u64 i = 0; i < iterations; i++) advance(0x1p-10);
  u64 checksum = 0;
  for (int i = 0; i < BODIES; i++) {
    double values[] = {bodies[i].x, bodies[i].y, bodies[i].z, bodies[i].vx, bodies[i].vy, bodies[i].vz};
    for (int n = 0; n < 6; n++) {
      union {
        double value;
        u64 bits;
      } whole = {.value = values[n]};
      checksum = fold(checksum, whole.bits);
    }
  }
  return checksum;
}

int program(int argc, char **argv) { return measure(argc, argv, (struct work){prepare, run}); }
