namespace Smile.ML.Cuda.DeviceCheck;

/// <summary>
/// Runs checks or measurements one after the other. One that fails, with whatever exception, is printed and counted, and the next begins;
/// only where the GPU takes no more work after it, as after an illegal address, the rest is left out.
/// </summary>
/// <param name="device">The GPU.</param>
internal sealed class CheckList(CudaDevice device)
{
    private int _passed;
    private int _failed;
    private int _notRun;
    private bool _stopped;

    /// <summary>Runs one; tells whether it passed.</summary>
    public bool Run(string what, Action check)
    {
        if (_stopped)
        {
            _notRun++;
            return false;
        }

        try
        {
            check();
            _passed++;
            return true;
        }
        catch (Exception exception)
        {
            _failed++;
            Console.WriteLine($"FAILED {what}: {exception.Message}");
        }

        try
        {
            // In a context that has been broken every call fails.
            device.Memory();
        }
        catch (SmileException exception)
        {
            _stopped = true;
            Console.WriteLine($"FAILED after {what} the GPU takes no more work; the rest is left out. {exception.Message}");
        }

        return false;
    }

    /// <summary>Prints the counts; returns the exit code.</summary>
    public int Finish(string name)
    {
        Console.WriteLine($"{name}: {_passed} passed, {_failed} failed{(_notRun > 0 ? $", {_notRun} not run" : string.Empty)}");
        return _failed == 0 && _passed > 0 ? 0 : 1;
    }
}
