using Smile.ML.Tool;

return await CommandHost.InvokeAsync(SmileCommand.Create(), args);
