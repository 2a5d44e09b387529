// AVX-512 with VNNI: Intel from Cascade Lake and Ice Lake on, AMD from Zen 4 on.
#include "lanes_avx512.h"
#include "table.h"

namespace localspec {

const Kernels * avx512_kernels() {
    static constexpr Kernels kernels = table("avx512-vnni");
    return &kernels;
}

}  // namespace localspec
