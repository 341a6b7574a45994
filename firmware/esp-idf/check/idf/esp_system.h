#pragma once
#include "esp_err.h"

void __attribute__((__noreturn__)) esp_restart(void);
