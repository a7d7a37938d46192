/* A small DSSI synthesiser for tests: its programs are tones, noise, silence and a crash. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int kind; float low, high; } Hint;

typedef struct {
    unsigned long unique_id;
    const char *label;
    int properties;
    const char *name, *maker, *copyright;
    unsigned long port_count;
    const int *port_kinds;
    const char *const *port_names;
    const Hint *hints;
    void *implementation;
    void *(*instantiate)(const void *, unsigned long);
    void (*connect_port)(void *, unsigned long, float *);
    void (*activate)(void *);
    void (*run)(void *, unsigned long);
    void (*run_adding)(void *, unsigned long);
    void (*set_gain)(void *, float);
    void (*deactivate)(void *);
    void (*cleanup)(void *);
} Ladspa;

typedef struct { unsigned long bank, number; const char *name; } Program;

typedef struct {
    unsigned char type, flags, tag, queue;
    unsigned tick, nanoseconds;
    unsigned char addresses[4], channel, note, velocity, off_velocity;
    unsigned parameter;
    int value;
} Event;

typedef struct {
    int version;
    const Ladspa *ladspa;
    char *(*configure)(void *, const char *, const char *);
    const Program *(*get_program)(void *, unsigned long);
    void (*select_program)(void *, unsigned long, unsigned long);
    int (*controller)(void *, unsigned long);
    void (*run_synth)(void *, unsigned long, Event *, unsigned long);
    void *others[3];
} Dssi;

enum { BRIGHT, BRIGHT_TWIN, PLAIN, NOISE, SILENCE, CRASH, EMPTY, PROGRAMS };
static const char *const NAMES[] = {"Bright Organ", "Organ Twin", "Plain Flute", "Noise",
                                    "Silence",      "Crash",      "<empty>"};

typedef struct {
    float *port[3]; /* left, right, tuning in Hz */
    unsigned long rate, program;
    double phase, level;
    int note, velocity, held;
} Synth;

static void *instantiate(const void *descriptor, unsigned long rate) {
    Synth *synth = calloc(1, sizeof *synth);
    synth->rate = rate;
    return synth;
}

static void connect_port(void *handle, unsigned long port, float *data) { ((Synth *)handle)->port[port] = data; }

static char *configure(void *handle, const char *key, const char *value) {
    return strcmp(key, "octave") ? strdup("unknown key") : NULL;
}

static const Program *get_program(void *handle, unsigned long place) {
    static Program program;
    program.bank = place / 4, program.number = place % 4, program.name = NAMES[place % PROGRAMS];
    return place < PROGRAMS ? &program : NULL;
}

static void select_program(void *handle, unsigned long bank, unsigned long number) {
    ((Synth *)handle)->program = 4 * bank + number;
}

static float sample(Synth *synth) {
    double x = 6.283185307179586 * synth->phase;
    switch (synth->program) {
    case BRIGHT: return sin(x) + .8 * sin(2 * x) + .6 * sin(3 * x) + .4 * sin(5 * x);
    case BRIGHT_TWIN: return sin(x) + .8 * sin(2 * x) + .6 * sin(3 * x) + .41 * sin(5 * x);
    case NOISE: return rand() / (float)RAND_MAX - .5f;
    case SILENCE: return 0;
    default: return sin(x);
    }
}

static void run_synth(void *handle, unsigned long count, Event *events, unsigned long num_events) {
    Synth *synth = handle;
    if (synth->program == CRASH && num_events) abort();
    for (unsigned long at = 0; at < count; at++) {
        for (; num_events && events->tick <= at; events++, num_events--) {
            if (events->type == 6)
                synth->note = events->note, synth->velocity = events->velocity, synth->held = 1, synth->phase = 0;
            if (events->type == 7 || (events->type == 10 && events->parameter == 120)) synth->held = 0;
        }
        double target = synth->held ? synth->velocity / 127. : 0;
        synth->level += (target - synth->level) * 50 / synth->rate;
        synth->phase += *synth->port[2] * pow(2, (synth->note - 69) / 12.) / synth->rate;
        synth->port[0][at] = .2f * synth->level * sample(synth);
        synth->port[1][at] = 0; /* the mean of both is half of it */
    }
}

const Dssi *dssi_descriptor(unsigned long place) {
    static const int kinds[] = {10, 10, 5};
    static const char *const names[] = {"Left", "Right", "Tuning"};
    static const Hint hints[] = {{0}, {0}, {0x2C0 | 3, 415, 467}}; /* 440 by default */
    static const Ladspa ladspa = {.label = "tiny",
                                  .copyright = "public domain",
                                  .port_count = 3,
                                  .port_kinds = kinds,
                                  .port_names = names,
                                  .hints = hints,
                                  .instantiate = instantiate,
                                  .connect_port = connect_port};
    static const Dssi dssi = {1, &ladspa, configure, get_program, select_program, NULL, run_synth, {0}};
    return place ? NULL : &dssi;
}
