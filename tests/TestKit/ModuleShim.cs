using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Trust.TestKit;

/// <summary>
/// A PKCS#11 module file whose function list lies in this process: tokens load modules by path only, and a few lines of C, compiled at first
/// use, hand them the list that was set.
/// </summary>
internal static unsafe class ModuleShim
{
    private const string Source = """
        static void *list;
        void shim_set(void *functions) { list = functions; }
        unsigned long C_GetFunctionList(void **functions) { *functions = list; return list ? 0 : 5; }
        """;

    /// <summary>Compiles the shim and gives it a CK_FUNCTION_LIST. The library asks for it once, when the module is first opened.</summary>
    /// <returns>The module's path.</returns>
    public static string Build(nint functionList)
    {
        // Not beside the tokens: shared memory may be mounted so that nothing in it can be executed.
        var folder = Directory.CreateTempSubdirectory("trust-shim-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        var path = Path.Combine(folder, "shim.so");
        var start = new ProcessStartInfo("gcc", ["-shared", "-fPIC", "-o", path, "-x", "c", "-"]) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardError = true };
        using var gcc = Process.Start(start) ?? throw new InvalidOperationException("gcc does not start.");
        gcc.StandardInput.Write(Source);
        gcc.StandardInput.Close();
        var said = gcc.StandardError.ReadToEnd();
        gcc.WaitForExit();
        if (gcc.ExitCode != 0)
        {
            throw new InvalidOperationException($"gcc: {said}");
        }

        ((delegate* unmanaged[Cdecl]<nint, void>)NativeLibrary.GetExport(NativeLibrary.Load(path), "shim_set"))(functionList);
        return path;
    }
}
