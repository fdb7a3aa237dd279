// Cuts square images [N, channels, size, size] into patches [N * patches, channels * patch * patch], a thread per value.
#include "device.cuh"

KERNEL extract_patches(const float* images, long long count, int channels, int size, int patch, float* patches) {
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) {
        return;
    }
    int side = size / patch;
    int x = i % patch;
    int y = i / patch % patch;
    int channel = i / patch / patch % channels;
    long long index = i / patch / patch / channels;
    int patch_x = index % side;
    int patch_y = index / side % side;
    long long image = index / side / side;
    patches[i] = images[((image * channels + channel) * size + patch_y * patch + y) * size + patch_x * patch + x];
}
REGISTER_KERNEL(extract_patches);
