// The generic ESP32-C3, under a name that tells it from the stock one.
#include "boards/ESP32_GENERIC_C3/mpconfigboard.h"

#undef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "ESP32C3 module (MSL 6000 ms)"
