/*
 * The loader of the C library that this library is for, where programs name theirs.
 * mtls-run, which may be static and so names none, compares the two.
 */
static const char loader[] __attribute__((section(".interp"), used)) = MTLS_SHIM_LOADER;
