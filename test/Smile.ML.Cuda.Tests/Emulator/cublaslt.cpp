// The part of cuBLASLt's interface that Smile.ML.Cuda uses, by its documentation: matrices column by column, op(A) op(B) into D.
#include "emulator_control.h"

#define API extern "C" __attribute__((visibility("default"))) int

namespace {

struct Descriptor {
    int compute_type = 0;
    int transpose[2] = {};
    int epilogue = 1;
    const float* bias = nullptr;
};

enum Type { Real32 = 0, Real16 = 2, RealBFloat16 = 14 };

struct Layout {
    int type;
    uint64_t rows, columns;
    int64_t leading;
    float at(const void* matrix, uint64_t row, uint64_t column) const {
        uint64_t index = column * leading + row;
        if (type == Real32) {
            return static_cast<const float*>(matrix)[index];
        }
        if (type == Real16) {
            return (float)static_cast<const _Float16*>(matrix)[index];
        }
        uint32_t bits = (uint32_t)static_cast<const uint16_t*>(matrix)[index] << 16;
        float value;
        std::memcpy(&value, &bits, 4);
        return value;
    }
};

// Float32 factors for tf32 tensor cores, which may leave the last 13 bits unread: NVIDIA doesn't say that its library rounds.
constexpr int ComputeByTf32 = 77;
float cut(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    bits &= 0xffffe000u;
    std::memcpy(&value, &bits, 4);
    return value;
}

enum Status { Success = 0, NotInitialized = 1, InvalidValue = 7, NotSupported = 15 };

// Of the driver, for queued work.
constexpr int IllegalAddress = 700;

}  // namespace

API cublasLtCreate(void** handle) {
    if (emulator::fails(__func__)) {
        return NotInitialized;
    }
    *handle = new int;
    return Success;
}

API cublasLtDestroy(void* handle) {
    delete static_cast<int*>(handle);
    return Success;
}

API cublasLtMatmulDescCreate(void** descriptor, int compute_type, int scale_type) {
    *descriptor = new Descriptor{compute_type};
    return scale_type == 0 ? Success : InvalidValue;
}

API cublasLtMatmulDescSetAttribute(void* descriptor, int attribute, const void* value, size_t size) {
    Descriptor* set = static_cast<Descriptor*>(descriptor);
    switch (attribute) {
        case 3:
        case 4: std::memcpy(&set->transpose[attribute - 3], value, sizeof(int)); return size == sizeof(int) ? Success : InvalidValue;
        case 7: std::memcpy(&set->epilogue, value, sizeof(int)); return size == sizeof(int) ? Success : InvalidValue;
        case 8: std::memcpy(&set->bias, value, sizeof(void*)); return size == sizeof(void*) ? Success : InvalidValue;
        default: return InvalidValue;
    }
}

API cublasLtMatmulDescDestroy(void* descriptor) {
    delete static_cast<Descriptor*>(descriptor);
    return Success;
}

API cublasLtMatrixLayoutCreate(void** layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
    *layout = new Layout{type, rows, columns, leading};
    return (type == Real32 || type == Real16 || type == RealBFloat16) && leading >= (int64_t)rows ? Success : InvalidValue;
}

API cublasLtMatrixLayoutDestroy(void* layout) {
    delete static_cast<Layout*>(layout);
    return Success;
}

API cublasLtMatmulPreferenceCreate(void** preference) {
    *preference = new int;
    return Success;
}

API cublasLtMatmulPreferenceSetAttribute(void*, int attribute, const void*, size_t size) {
    return attribute == 1 && size == sizeof(size_t) ? Success : InvalidValue;
}

API cublasLtMatmulPreferenceDestroy(void* preference) {
    delete static_cast<int*>(preference);
    return Success;
}

API cublasLtMatmulAlgoGetHeuristic(void*, void* descriptor, void*, void*, void*, void*, void*, int requested, void* results, int* count) {
    // A bias is there when a kernel is chosen for it.
    const Descriptor* how = static_cast<const Descriptor*>(descriptor);
    if ((how->epilogue == 4) != (how->bias != nullptr)) {
        return InvalidValue;
    }
    // The algorithm, the size of its workspace, and whether it is one.
    std::memset(results, 0x5a, 96);
    int state = emulator::fails(__func__) ? NotSupported : Success;
    std::memcpy(static_cast<char*>(results) + 72, &state, sizeof(int));
    *count = requested;
    return Success;
}

API cublasLtMatmul(
    void*, void* descriptor, const float* alpha, const void* a, void* a_layout, const void* b, void* b_layout, const float* beta,
    const float*, void*, float* d, void* d_layout, const unsigned char* algorithm, void*, size_t, void* stream) {
    Descriptor how = *static_cast<Descriptor*>(descriptor);
    Layout la = *static_cast<Layout*>(a_layout), lb = *static_cast<Layout*>(b_layout), ld = *static_cast<Layout*>(d_layout);
    uint64_t depth = how.transpose[0] ? la.rows : la.columns;
    bool fits = (how.transpose[0] ? la.columns : la.rows) == ld.rows && (how.transpose[1] ? lb.rows : lb.columns) == ld.columns
        && (how.transpose[1] ? lb.columns : lb.rows) == depth && la.type == lb.type && ld.type == Real32;
    if (!fits || *alpha != 1 || *beta != 0 || algorithm[63] != 0x5a || (how.epilogue == 4) != (how.bias != nullptr)) {
        return InvalidValue;
    }
    return emulator::enqueue(stream, [=]() -> int {
        if (!emulator::is_allocated(a) || !emulator::is_allocated(b) || !emulator::is_allocated(d) || (how.bias != nullptr && !emulator::is_allocated(how.bias))) {
            return IllegalAddress;
        }
        for (uint64_t column = 0; column < ld.columns; column++) {
            for (uint64_t row = 0; row < ld.rows; row++) {
                float sum = 0;
                for (uint64_t k = 0; k < depth; k++) {
                    float x = how.transpose[0] ? la.at(a, k, row) : la.at(a, row, k);
                    float y = how.transpose[1] ? lb.at(b, column, k) : lb.at(b, k, column);
                    sum = how.compute_type == ComputeByTf32 ? __builtin_fmaf(cut(x), cut(y), sum) : __builtin_fmaf(x, y, sum);
                }
                d[column * ld.leading + row] = how.bias == nullptr ? sum : sum + how.bias[row];
            }
        }
        return Success;
    });
}
