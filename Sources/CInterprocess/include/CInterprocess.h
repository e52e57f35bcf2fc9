// Everything that Swift sees of C: layouts that processes share, and calls that Swift cannot spell. No logic.
#ifndef C_INTERPROCESS_H
#define C_INTERPROCESS_H

#include "interprocess_counters.h"
#include "interprocess_layout.h"
#include "interprocess_memory.h"
#include "interprocess_network.h"
#include "interprocess_system.h"
#include "interprocess_system_v.h"
#include "interprocess_transfer.h"
#include "interprocess_terminal.h"

#endif
