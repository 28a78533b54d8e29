/* The native library: one translation unit, compiled for each instruction set (hatch_build.py). */

#define _DEFAULT_SOURCE /* madvise */

#include "argmax.h"
#include "decoder_step.h"
#include "dtw.h"
#include "encode.h"
#include "log_mel.h"

/* Raised with every change of a function's name or arguments, so that an old library is not used. */
EXPORT int quest22_interface(void) { return 10; }
