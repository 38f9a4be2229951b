/* One row per kernel: quant/ISA/NAME_ISA.c, or the file of its family, defines `const struct quant_kernel kernel_NAME_ISA`. Later
 * rows win where both can run. */
#if defined(__x86_64__)
KERNEL(f16_avx2)
KERNEL(bf16_avx2)
KERNEL(q8_0_avx2)
KERNEL(q2_k_avx2)
KERNEL(q3_k_avx2)
KERNEL(q4_k_avx2)
KERNEL(q5_k_avx2)
KERNEL(q6_k_avx2)
KERNEL(q2_k_avx512)
KERNEL(q3_k_avx512)
KERNEL(q4_k_avx512)
KERNEL(q5_k_avx512)
KERNEL(q6_k_avx512)
#endif
