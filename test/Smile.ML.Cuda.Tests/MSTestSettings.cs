// The emulated driver is one for the process.
[assembly: DoNotParallelize]
