using System.Runtime.InteropServices;

namespace Trust.Pkcs11;

/// <summary>
/// The environment that native code sees. .NET keeps a copy of its own, so that Environment.SetEnvironmentVariable never
/// reaches a module that reads, say, SOFTHSM2_CONF in C_Initialize.
/// </summary>
public static partial class NativeEnvironment
{
    /// <summary>Sets a variable for native code in this process. Call it before the module is loaded.</summary>
    public static void Set(string name, string value)
    {
        if (SetEnv(name, value, 1) != 0)
        {
            throw new InvalidOperationException($"setenv({name}) failed.");
        }

        // Child processes get .NET's copy.
        Environment.SetEnvironmentVariable(name, value);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetEnv(string name, string value, int overwrite);
}
