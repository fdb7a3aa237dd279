// The part of the CUDA driver's interface that Smile.ML.Cuda uses, over the emulator. Work is queued on streams and done only when
// somebody waits for it, as late as a driver may: memory given away, freed or read too early shows.
#include "emulator_control.h"

#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sys/mman.h>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) int

// A test may name a function that fails.
#define MAY_FAIL                   \
    if (fails(__func__)) {         \
        return Unknown;            \
    }

namespace {

enum Result {
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidPtx = 218,
    InvalidContext = 201,
    InvalidHandle = 400,
    NotFound = 500,
    IllegalAddress = 700,
    CaptureUnsupported = 900,
    CaptureInvalidated = 901,
    Unknown = 999,
    LaunchFailed = 719,
};

// Around each allocation lie bytes that must stay as they are, and then addresses that nobody may touch.
constexpr size_t GuardBytes = 4096;
constexpr unsigned char GuardByte = 0xa5;
constexpr size_t ForbiddenBytes = 1 << 20;

using Work = std::vector<std::function<int()>>;

// While it captures, work goes into the graph and doesn't run.
struct Stream {
    Work work;
    bool capturing = false;
    bool invalidated = false;
    Work captured;
};

// Queued work may outlive the event.
struct Event {
    Stream* stream = nullptr;
    std::shared_ptr<std::chrono::steady_clock::time_point> time = std::make_shared<std::chrono::steady_clock::time_point>();
};

// Memory that was freed while work was queued: nobody may touch it, and nobody else gets its addresses until that work is done.
struct Freed {
    char* start;
    size_t size;
    std::function<void()> release;
};

struct Configuration {
    int devices = 1;
    int version = 12080;
    int compute_major = 9;
    size_t memory = size_t(4) << 30;
    bool bad_ptx = false;
};

std::recursive_mutex mutex;
Configuration configuration;
bool initialized;
int contexts;
char context;
thread_local void* current_context;
int sticky = Success;
std::string message;
size_t used;
int broken_guards;
int graph_launches;
size_t uploaded;
std::string failing;
std::set<Work*> graphs;
std::map<void*, int> max_dynamic_shared;
std::map<char*, size_t> allocations;
std::map<char*, size_t> host_allocations;
std::set<Stream*> streams;
Work orphaned;  // of destroyed streams
std::vector<Freed> freed;
int freed_in_use;

using Lock = std::lock_guard<std::recursive_mutex>;

bool is_idle() {
    for (const Stream* stream : streams) {
        if (!stream->work.empty()) {
            return false;
        }
    }
    return orphaned.empty();
}

void release_freed() {
    if (is_idle()) {
        for (const Freed& memory : freed) {
            memory.release();
        }
        freed.clear();
    }
}

void release_when_idle(char* start, size_t size, std::function<void()> release) {
    freed.push_back({start, size, std::move(release)});
    release_freed();
}

int run(Work& queued) {
    Work work;
    work.swap(queued);
    for (const auto& item : work) {
        if (sticky == Success) {
            sticky = item();
            freed_in_use += sticky == IllegalAddress && !freed.empty();
        }
    }
    release_freed();
    return sticky;
}

// Waiting for a stream that captures can't be, and ends the capture.
int flush(Stream* stream) {
    if (stream->capturing) {
        stream->invalidated = true;
        return CaptureUnsupported;
    }
    return run(stream->work);
}

int flush_all() {
    run(orphaned);
    for (Stream* stream : streams) {
        if (!stream->capturing) {
            flush(stream);
        }
    }
    return sticky;
}

// Whole pages for an allocation and its guards.
size_t usable_bytes(size_t bytes) { return (bytes + 2 * GuardBytes + 4095) / 4096 * 4096; }

void set_guards(char* address, size_t size) {
    std::memset(address - GuardBytes, GuardByte, GuardBytes);
    std::memset(address + size, GuardByte, GuardBytes);
}

bool guards_hold(char* address, size_t size) {
    for (size_t i = 0; i < GuardBytes; i++) {
        if ((unsigned char)address[-1 - (ptrdiff_t)i] != GuardByte || (unsigned char)address[size + i] != GuardByte) {
            return false;
        }
    }
    return true;
}

bool inside_allocation(uint64_t address, size_t size) {
    auto after = allocations.upper_bound(reinterpret_cast<char*>(address));
    if (after == allocations.begin()) {
        return false;
    }
    auto found = std::prev(after);
    return reinterpret_cast<char*>(address) + size <= found->first + found->second;
}

bool is_freed(const void* address) {
    for (const Freed& memory : freed) {
        if (address >= memory.start && address < memory.start + memory.size) {
            return true;
        }
    }
    return false;
}

int ready() {
    return !initialized ? NotInitialized : current_context != &context ? InvalidContext : sticky;
}

int enqueue(void* stream, std::function<int()> work) {
    Stream* to = static_cast<Stream*>(stream);
    if (streams.count(to) == 0) {
        return InvalidHandle;
    }
    if (to->invalidated) {
        return CaptureInvalidated;
    }
    (to->capturing ? to->captured : to->work).push_back(std::move(work));
    return Success;
}

bool fails(const char* function) {
    Lock lock(mutex);
    return failing == function;
}

int copy_text(const std::string& text, char* to, int size) {
    if (size > 0) {
        size_t length = text.size() < (size_t)size - 1 ? text.size() : (size_t)size - 1;
        std::memcpy(to, text.data(), length);
        to[length] = 0;
    }
    return (int)text.size();
}

}  // namespace

int emulator::enqueue(void* stream, std::function<int()> work) {
    Lock lock(mutex);
    return ::enqueue(stream, std::move(work));
}

bool emulator::fails(const char* function) { return ::fails(function); }

bool emulator::is_allocated(const void* address) {
    Lock lock(mutex);
    return inside_allocation(reinterpret_cast<uint64_t>(address), 1);
}

API cuInit(unsigned) {
    MAY_FAIL
    Lock lock(mutex);
    if (configuration.devices == 0) {
        return NoDevice;
    }
    initialized = true;
    return Success;
}

API cuDriverGetVersion(int* version) {
    MAY_FAIL
    *version = configuration.version;
    return Success;
}

API cuDeviceGetCount(int* count) {
    MAY_FAIL
    *count = configuration.devices;
    return initialized ? Success : NotInitialized;
}

API cuDeviceGet(int* device, int ordinal) {
    MAY_FAIL
    *device = ordinal;
    return ordinal < configuration.devices ? Success : InvalidDevice;
}

API cuDeviceGetName(char* name, int size, int) {
    MAY_FAIL
    copy_text("Emulated device", name, size);
    return Success;
}

API cuDeviceGetAttribute(int* value, int attribute, int) {
    MAY_FAIL
    switch (attribute) {
        case 13: *value = 1000000; return Success;                      // clock in kHz
        case 16: *value = 4; return Success;                            // multiprocessors
        case 36: *value = 1000000; return Success;                      // memory's clock in kHz
        case 37: *value = 64; return Success;                           // and bus in bits
        case 38: *value = 16 << 10; return Success;                     // L2 cache in bytes
        case 75: *value = configuration.compute_major; return Success;  // compute capability, major
        case 76: *value = 0; return Success;                            // and minor
        default: return InvalidValue;
    }
}

API cuDeviceTotalMem_v2(size_t* bytes, int) {
    MAY_FAIL
    *bytes = configuration.memory;
    return Success;
}

API cuDevicePrimaryCtxRetain(void** result, int) {
    MAY_FAIL
    Lock lock(mutex);
    contexts++;
    *result = &context;
    return initialized ? Success : NotInitialized;
}

API cuDevicePrimaryCtxRelease_v2(int) {
    MAY_FAIL
    Lock lock(mutex);
    return --contexts >= 0 ? Success : InvalidContext;
}

API cuCtxSetCurrent(void* value) {
    MAY_FAIL
    current_context = value;
    return Success;
}

API cuMemGetInfo_v2(size_t* free, size_t* total) {
    MAY_FAIL
    Lock lock(mutex);
    *free = configuration.memory - used;
    *total = configuration.memory;
    return ready();
}

API cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    MAY_FAIL
    Lock lock(mutex);
    if (int error = ready()) {
        return error;
    }
    if (bytes == 0) {
        return InvalidValue;
    }
    if (used + bytes > configuration.memory) {
        return OutOfMemory;
    }
    size_t usable = usable_bytes(bytes);
    void* reserved = mmap(nullptr, usable + 2 * ForbiddenBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) {
        return OutOfMemory;
    }
    char* block = static_cast<char*>(reserved) + ForbiddenBytes;
    mprotect(block, usable, PROT_READ | PROT_WRITE);
    char* start = block + GuardBytes;
    set_guards(start, bytes);
    std::memset(start, 0xff, bytes);
    allocations[start] = bytes;
    used += bytes;
    *address = reinterpret_cast<uint64_t>(start);
    return Success;
}

API cuMemFree_v2(uint64_t address) {
    MAY_FAIL
    Lock lock(mutex);
    auto found = allocations.find(reinterpret_cast<char*>(address));
    if (found == allocations.end()) {
        return InvalidValue;
    }
    broken_guards += !guards_hold(found->first, found->second);
    used -= found->second;
    char* block = found->first - GuardBytes;
    size_t usable = usable_bytes(found->second);
    mprotect(block, usable, PROT_NONE);
    release_when_idle(block, usable, [=] { munmap(block - ForbiddenBytes, usable + 2 * ForbiddenBytes); });
    allocations.erase(found);
    return Success;
}

API cuMemAllocHost_v2(void** address, size_t bytes) {
    MAY_FAIL
    Lock lock(mutex);
    *address = std::malloc(bytes);
    host_allocations[static_cast<char*>(*address)] = bytes;
    return *address == nullptr ? OutOfMemory : ready();
}

API cuMemFreeHost(void* address) {
    MAY_FAIL
    Lock lock(mutex);
    auto found = host_allocations.find(static_cast<char*>(address));
    if (found == host_allocations.end()) {
        return InvalidValue;
    }
    release_when_idle(found->first, found->second, [=] { std::free(address); });
    host_allocations.erase(found);
    return Success;
}

API cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* stream) {
    MAY_FAIL
    Lock lock(mutex);
    if (int error = ready()) {
        return error;
    }
    if (!inside_allocation(to, bytes)) {
        return InvalidValue;
    }
    uploaded += bytes;
    return enqueue(stream, [=]() -> int {
        if (is_freed(from) || !inside_allocation(to, bytes)) {
            return IllegalAddress;
        }
        std::memcpy(reinterpret_cast<void*>(to), from, bytes);
        return Success;
    });
}

API cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* stream) {
    MAY_FAIL
    Lock lock(mutex);
    if (int error = ready()) {
        return error;
    }
    if (!inside_allocation(from, bytes)) {
        return InvalidValue;
    }
    return enqueue(stream, [=]() -> int {
        if (!inside_allocation(from, bytes)) {
            return IllegalAddress;
        }
        std::memcpy(to, reinterpret_cast<void*>(from), bytes);
        return Success;
    });
}

API cuMemsetD32Async(uint64_t to, unsigned value, size_t count, void* stream) {
    MAY_FAIL
    Lock lock(mutex);
    if (int error = ready()) {
        return error;
    }
    if (!inside_allocation(to, count * 4)) {
        return InvalidValue;
    }
    return enqueue(stream, [=]() -> int {
        if (!inside_allocation(to, count * 4)) {
            return IllegalAddress;
        }
        for (size_t i = 0; i < count; i++) {
            reinterpret_cast<unsigned*>(to)[i] = value;
        }
        return Success;
    });
}

API cuStreamCreate(void** stream, unsigned) {
    MAY_FAIL
    Lock lock(mutex);
    if (int error = ready()) {
        return error;
    }
    Stream* created = new Stream;
    streams.insert(created);
    *stream = created;
    return Success;
}

API cuStreamSynchronize(void* stream) {
    MAY_FAIL
    Lock lock(mutex);
    return streams.count(static_cast<Stream*>(stream)) == 0 ? InvalidHandle : flush(static_cast<Stream*>(stream));
}

// Returns at once; what is queued runs some time later.
API cuStreamDestroy_v2(void* stream) {
    MAY_FAIL
    Lock lock(mutex);
    Stream* old = static_cast<Stream*>(stream);
    if (streams.erase(old) == 0) {
        return InvalidHandle;
    }
    orphaned.insert(orphaned.end(), old->work.begin(), old->work.end());
    delete old;
    return Success;
}

API cuStreamBeginCapture_v2(void* stream, int mode) {
    MAY_FAIL
    Lock lock(mutex);
    Stream* begun = static_cast<Stream*>(stream);
    if (streams.count(begun) == 0 || mode < 0 || mode > 2 || begun->capturing) {
        return InvalidValue;
    }
    begun->capturing = true;
    begun->captured.clear();
    return ready();
}

API cuStreamEndCapture(void* stream, void** graph) {
    Lock lock(mutex);
    Stream* ended = static_cast<Stream*>(stream);
    *graph = nullptr;
    if (streams.count(ended) == 0 || !ended->capturing) {
        return InvalidValue;
    }
    bool invalidated = ended->invalidated;
    ended->capturing = ended->invalidated = false;
    MAY_FAIL
    if (invalidated) {
        return CaptureInvalidated;
    }
    Work* captured = new Work(std::move(ended->captured));
    graphs.insert(captured);
    *graph = captured;
    return Success;
}

// An executable graph is a copy of the captured one.
API cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
    MAY_FAIL
    Lock lock(mutex);
    if (graphs.count(static_cast<Work*>(graph)) == 0) {
        return InvalidValue;
    }
    Work* made = new Work(*static_cast<Work*>(graph));
    graphs.insert(made);
    *executable = made;
    return ready();
}

API cuGraphLaunch(void* executable, void* stream) {
    MAY_FAIL
    Lock lock(mutex);
    if (graphs.count(static_cast<Work*>(executable)) == 0) {
        return InvalidValue;
    }
    graph_launches++;
    for (const auto& item : *static_cast<Work*>(executable)) {
        if (int error = enqueue(stream, item)) {
            return error;
        }
    }
    return ready();
}

API cuGraphDestroy(void* graph) {
    MAY_FAIL
    Lock lock(mutex);
    if (graphs.erase(static_cast<Work*>(graph)) == 0) {
        return InvalidValue;
    }
    delete static_cast<Work*>(graph);
    return Success;
}

API cuGraphExecDestroy(void* executable) { return cuGraphDestroy(executable); }

API cuEventCreate(void** event, unsigned) {
    MAY_FAIL
    *event = new Event;
    return ready();
}

API cuEventRecord(void* event, void* stream) {
    MAY_FAIL
    Lock lock(mutex);
    Event* recorded = static_cast<Event*>(event);
    recorded->stream = static_cast<Stream*>(stream);
    return enqueue(stream, [time = recorded->time] {
        *time = std::chrono::steady_clock::now();
        return Success;
    });
}

API cuEventSynchronize(void* event) {
    MAY_FAIL
    Lock lock(mutex);
    Event* recorded = static_cast<Event*>(event);
    return recorded->stream == nullptr || streams.count(recorded->stream) == 0 ? sticky : flush(recorded->stream);
}

API cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    MAY_FAIL
    *milliseconds = std::chrono::duration<float, std::milli>(*static_cast<Event*>(end)->time - *static_cast<Event*>(start)->time).count();
    return Success;
}

API cuEventDestroy_v2(void* event) {
    MAY_FAIL
    Lock lock(mutex);
    delete static_cast<Event*>(event);
    return Success;
}

API cuModuleLoadDataEx(void** module, const void* image, unsigned count, const int* options, void** values) {
    MAY_FAIL
    Lock lock(mutex);
    if (int error = ready()) {
        return error;
    }
    if (configuration.bad_ptx || std::strstr(static_cast<const char*>(image), ".target sm_") == nullptr) {
        for (unsigned i = 0; i + 1 < count; i++) {
            // The error log's buffer and, behind it, its size.
            if (options[i] == 5) {
                copy_text("ptxas fatal: emulated", static_cast<char*>(values[i]), (int)reinterpret_cast<size_t>(values[i + 1]));
            }
        }
        return InvalidPtx;
    }
    *module = &configuration;
    return Success;
}

API cuModuleUnload(void*) { return Success; }

API cuModuleGetFunction(void** function, void*, const char* name) {
    MAY_FAIL
    *function = reinterpret_cast<void*>(emulator::find_kernel(name));
    return *function == nullptr ? NotFound : Success;
}

API cuFuncSetAttribute(void* function, int attribute, int value) {
    MAY_FAIL
    Lock lock(mutex);
    if (attribute != 8 || value < 0 || (size_t)value > emulator::MaxDynamicShared) {
        return InvalidValue;
    }
    max_dynamic_shared[function] = value;
    return ready();
}

API cuFuncGetAttribute(int* value, int attribute, void*) {
    MAY_FAIL
    switch (attribute) {
        case 3: *value = 0; return ready();   // bytes of local memory
        case 4: *value = 64; return ready();  // registers
        default: return InvalidValue;
    }
}

API cuLaunchKernel(
    void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void* stream, void** parameters,
    void**) {
    MAY_FAIL
    Lock lock(mutex);
    if (int error = ready()) {
        return error;
    }
    if (gx == 0 || gy == 0 || gz == 0 || gx > 0x7fffffff || gy > 65535 || gz > 65535 || bx * by * bz > 1024 || bx * by * bz == 0) {
        return InvalidValue;
    }
    // More than 48 KiB only where it was asked for.
    auto asked = max_dynamic_shared.find(function);
    if (shared > (asked == max_dynamic_shared.end() ? 48u << 10 : (unsigned)asked->second)) {
        return InvalidValue;
    }
    auto bound = reinterpret_cast<emulator::Binder>(function)(parameters);
    return enqueue(stream, [=] {
        message = emulator::run(bound, {gx, gy, gz}, {bx, by, bz}, shared);
        return message.empty() ? Success : message == "an illegal address" ? IllegalAddress : LaunchFailed;
    });
}

API cuGetErrorName(int error, const char** name) {
    static const std::map<int, const char*> names = {
        {Success, "CUDA_SUCCESS"}, {InvalidValue, "CUDA_ERROR_INVALID_VALUE"}, {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"},
        {NotInitialized, "CUDA_ERROR_NOT_INITIALIZED"}, {NoDevice, "CUDA_ERROR_NO_DEVICE"}, {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE"},
        {InvalidPtx, "CUDA_ERROR_INVALID_PTX"}, {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT"}, {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE"},
        {NotFound, "CUDA_ERROR_NOT_FOUND"}, {IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED"},
        {Unknown, "CUDA_ERROR_UNKNOWN"}, {CaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"}, {CaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
    };
    auto found = names.find(error);
    *name = found == names.end() ? nullptr : found->second;
    return found == names.end() ? InvalidValue : Success;
}

API cuGetErrorString(int error, const char** text) {
    *text = error == NoDevice ? "no CUDA-capable device is detected" : "an emulated error";
    return Success;
}

// Controls for tests.

API emulator_configure(int devices, int version, int compute_major, size_t memory, int bad_ptx) {
    Lock lock(mutex);
    flush_all();
    configuration = {devices, version, compute_major, memory, bad_ptx != 0};
    initialized = false;
    sticky = Success;
    freed_in_use = 0;
    graph_launches = 0;
    uploaded = 0;
    failing.clear();
    max_dynamic_shared.clear();
    return Success;
}

API emulator_seed(uint32_t value) {
    Lock lock(mutex);
    emulator::seed(value);
    return Success;
}

API emulator_skip_barrier(const char* file, int line) {
    Lock lock(mutex);
    emulator::skip_barrier(file, line);
    return Success;
}

API emulator_barriers(char* text, int size) {
    Lock lock(mutex);
    return copy_text(emulator::barriers(), text, size);
}

// Why the last launch failed.
API emulator_message(char* text, int size) {
    Lock lock(mutex);
    return copy_text(message, text, size);
}

// Forgets a failed launch and what it broke, which on a device would end the process's use of it.
API emulator_recover() {
    Lock lock(mutex);
    for (Stream* stream : streams) {
        stream->work.clear();
    }
    orphaned.clear();
    release_freed();
    freed_in_use = 0;
    sticky = Success;
    message.clear();
    broken_guards = 0;
    for (const auto& allocation : allocations) {
        set_guards(allocation.first, allocation.second);
    }
    return Success;
}

// Bytes of memory that are allocated, and bytes that copies from the host had, those in graphs once.
API emulator_memory(size_t* allocated, size_t* from_host) {
    Lock lock(mutex);
    *allocated = used;
    *from_host = uploaded;
    return Success;
}

// Makes a function fail; "" for none.
API emulator_fail(const char* function) {
    Lock lock(mutex);
    failing = function;
    return Success;
}

// How many times a graph was launched, and how many graphs there are, executable or not.
API emulator_graphs(int* launches, int* count) {
    Lock lock(mutex);
    *launches = graph_launches;
    *count = (int)graphs.size();
    return Success;
}

// How many times queued work, all of which is done now, touched memory that had been freed.
API emulator_freed_in_use() {
    Lock lock(mutex);
    flush_all();
    return freed_in_use;
}

// How many allocations have been written beyond their ends.
API emulator_broken_guards() {
    Lock lock(mutex);
    flush_all();
    int broken = broken_guards;
    for (const auto& allocation : allocations) {
        broken += !guards_hold(allocation.first, allocation.second);
    }
    return broken;
}
