/* Calls a target with files, for compilers that have no libFuzzer: `TARGET FILE...`. Says how many there were. */
#include "target.h"

#include <stdio.h>

int main(int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    static uint8_t data[1 << 20];
    FILE *file = fopen(argv[i], "rb");
    if (file == NULL) {
      perror(argv[i]);
      return 1;
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
  }
  printf("%d\n", argc - 1);
  return 0;
}
