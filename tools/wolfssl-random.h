/* What wolfSSL's sources are shown first: see wolfssl-random.c. */
#ifndef __ASSEMBLER__
int wolfssl_random_block(unsigned char *block, unsigned len);
#endif
