using System.Text;

namespace Smile.ML.Cuda.Interop;

/// <summary>A PTX file, compiled by the driver for its device.</summary>
internal sealed unsafe class CudaModule : CudaHandle
{
    // CU_JIT_ERROR_LOG_BUFFER and its size.
    private const int ErrorLog = 5;
    private const int ErrorLogSize = 6;
    private const int LogBytes = 16384;
    private readonly string _name;

    /// <summary>Compiles the text.</summary>
    /// <param name="context">The device's context.</param>
    /// <param name="name">The file's name, for messages.</param>
    /// <param name="ptx">The text.</param>
    /// <exception cref="SmileException">The driver can't compile it; the message holds its log.</exception>
    public CudaModule(CudaContext context, string name, string ptx)
        : base(context)
    {
        _name = name;
        context.MakeCurrent();
        byte[] text = Encoding.UTF8.GetBytes(ptx + '\0');
        byte[] log = new byte[LogBytes];
        int* options = stackalloc int[] { ErrorLog, ErrorLogSize };
        nint module;
        int status;
        fixed (byte* image = text)
        fixed (byte* buffer = log)
        {
            void** values = stackalloc void*[] { buffer, (void*)LogBytes };
            status = context.Driver.ModuleLoad(&module, image, 2, options, values);
        }

        if (status != (int)CudaStatus.Success)
        {
            int length = log.AsSpan().IndexOf((byte)0);
            throw new SmileException(
                $"The CUDA driver could not compile the kernels of {name}: {context.Driver.Describe(status)}. Its log: "
                + Encoding.UTF8.GetString(log, 0, length < 0 ? LogBytes : length).Trim());
        }

        Own(module);
    }

    /// <summary>Finds a kernel.</summary>
    public nint GetFunction(string name)
    {
        Context.MakeCurrent();
        nint function;
        fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
        {
            Context.Driver.Check(Context.Driver.ModuleGetFunction(&function, handle, text), $"Looking for the kernel {name} in {_name}");
        }

        return function;
    }

    /// <inheritdoc/>
    protected override int Release(nint value) => Context.Driver.ModuleUnload(value);
}
