/* One row per kernel: quant/ISA/NAME_ISA.c defines `const struct quant_kernel kernel_NAME_ISA`. Later rows win where both can run. */
#if defined(__x86_64__)
#endif
