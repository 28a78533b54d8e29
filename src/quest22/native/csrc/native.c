/* The native library: one translation unit, compiled for each instruction set (hatch_build.py). */

#include "listen.h"
#include "mel.h"
#include "scores.h"
#include "step.h"

/* Changes with any function's arguments: a library that was left behind is not called. */
EXPORT int quest22_interface(void) { return 3; }
