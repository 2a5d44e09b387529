// AVX2 with FMA and F16C: Intel from Haswell on, AMD from Zen on.
#include "lanes_avx2.h"
#include "table.h"

namespace localspec {

const Kernels * avx2_kernels() {
    static constexpr Kernels kernels = table("avx2");
    return &kernels;
}

}  // namespace localspec
