/* Stands in for libFuzzer: runs a fuzz target once over each file named. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int
replay(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");
    uint8_t *copy;
    size_t len;

    if (file == NULL) {
        perror(path);
        return -1;
    }
    len = fread(data, 1, sizeof(data), file);
    fclose(file);
    /* A copy of just this size: what reads past it is noticed under ASan and valgrind. */
    copy = malloc(len > 0 ? len : 1);
    if (copy == NULL) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        copy[i] = data[i];
    }
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
    return 0;
}

int
main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        failed += replay(argv[i]) != 0;
    }
    printf("%d inputs\n", argc - 1);
    return failed == 0 && argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
