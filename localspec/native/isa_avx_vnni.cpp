// AVX2 with byte products that add up in 32 bits: Intel's processors without AVX-512 from Alder Lake on, AMD from Zen 5 on.
#ifndef LOCALSPEC_DPBUSD
#define LOCALSPEC_DPBUSD _mm256_dpbusd_avx_epi32
#endif
#include "lanes_avx2.h"
#include "table.h"

namespace localspec {

const Kernels * avx_vnni_kernels() {
    static constexpr Kernels kernels = table("avx-vnni");
    return &kernels;
}

}  // namespace localspec
