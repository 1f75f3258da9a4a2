using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Trust.Pkcs11;

/// <summary>A mechanism with its parameter, as C_…Init takes it (64-bit Linux layout: CK_ULONG has 8 bytes, natural alignment).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CkMechanism
{
    public ulong Mechanism;
    public void* Parameter;
    public ulong ParameterLength;
}

/// <summary>CK_ATTRIBUTE.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CkAttribute
{
    public ulong Type;
    public void* Value;
    public ulong Length;
}

/// <summary>CK_GCM_PARAMS of PKCS#11 v2.40 errata 1, with the number of IV bits.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CkGcmParameters
{
    public byte* Iv;
    public ulong IvLength;
    public ulong IvBits;
    public byte* AssociatedData;
    public ulong AssociatedDataLength;
    public ulong TagBits;
}

/// <summary>
/// A loaded PKCS#11 module: its function list called by function pointers. One per module path and process, because
/// C_Initialize is a process-wide act; never finalised, because other tokens of the module may be in use.
/// </summary>
internal sealed unsafe partial class Cryptoki
{
    private static readonly ConcurrentDictionary<string, Lazy<Cryptoki>> Loaded = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<nint, Lazy<Cryptoki>> InProcess = new();

    private readonly nint* _functions;
    private readonly Lock _slots = new();

    // Null for a function list inside this process.
    private readonly ModuleHandle? _library;

    private Cryptoki(nint functionList, ModuleHandle? library)
    {
        _library = library;
        // CK_FUNCTION_LIST begins with a two-byte CK_VERSION, padded to pointer size.
        _functions = (nint*)(functionList + sizeof(nint));
        Initialize();
    }

    /// <summary>The module at a path, loaded and initialised once.</summary>
    public static Cryptoki Load(string path) =>
        Loaded.GetOrAdd(Path.GetFullPath(path), p => new Lazy<Cryptoki>(() => new Cryptoki(FunctionListOf(p, out var library), library))).Value;

    /// <summary>A function list that lives in this process: fakes for faults that no real token can be made to show.</summary>
    public static Cryptoki FromFunctionList(nint functionList) =>
        InProcess.GetOrAdd(functionList, p => new Lazy<Cryptoki>(() => new Cryptoki(p, null))).Value;

    /// <summary>The address of the CK_FUNCTION_LIST that the module at a path exports.</summary>
    /// <exception cref="TokenException">MODULE: not loadable, not a PKCS#11 module, or not a 64-bit Unix.</exception>
    public static nint FunctionListOf(string path) => FunctionListOf(path, out _);

    private static nint FunctionListOf(string path, out ModuleHandle module)
    {
        if (OperatingSystem.IsWindows() || !Environment.Is64BitProcess)
        {
            throw new TokenException("MODULE", "Modules are called with the 64-bit Unix layout of PKCS#11; other platforms need their own.");
        }

        if (!NativeLibrary.TryLoad(path, out var library) || !NativeLibrary.TryGetExport(library, "C_GetFunctionList", out var export))
        {
            throw new TokenException("MODULE", $"{path} cannot be loaded as a PKCS#11 module: check the path and that it is installed.");
        }

        module = new ModuleHandle(library);
        nint list;
        ReturnCode.Check(((delegate* unmanaged[Cdecl]<nint*, ulong>)export)(&list), "C_GetFunctionList");
        return list;
    }

    /// <summary>C_Initialize with operating-system locking; initialised already is fine.</summary>
    public void Initialize()
    {
        // CK_C_INITIALIZE_ARGS: four mutex callbacks (none), flags, reserved.
        var arguments = stackalloc nint[6];
        new Span<nint>(arguments, 6).Clear();
        arguments[4] = (nint)Ck.OsLockingOk;
        var code = ((delegate* unmanaged[Cdecl]<void*, ulong>)_functions[0])(arguments);
        if (code != ReturnCode.CryptokiAlreadyInitialized)
        {
            ReturnCode.Check(code, "C_Initialize");
        }
    }

    /// <summary>The slot that holds the token of that label; null when none does.</summary>
    public ulong? FindSlot(string label)
    {
        foreach (var slot in Slots())
        {
            if (TokenInfo(slot) is { Initialized: true } info && string.Equals(info.Label, label, StringComparison.Ordinal))
            {
                return slot;
            }
        }

        return null;
    }

    /// <summary>Initialises a blank slot's token: label, security officer PIN, user PIN.</summary>
    /// <exception cref="TokenException">The label is in use, no slot is blank, or the module refuses.</exception>
    public void InitializeToken(string label, Pin securityOfficer, Pin user)
    {
        if (FindSlot(label) is not null)
        {
            throw new TokenException("LABEL_IN_USE", $"A token named {label} exists already.");
        }

        ulong? blank = null;
        foreach (var slot in Slots())
        {
            if (TokenInfo(slot) is not { Initialized: true })
            {
                blank = slot;
                break;
            }
        }

        var target = blank ?? throw new TokenException("NO_BLANK_TOKEN", "The module offers no blank token.");
        var padded = new byte[32];
        padded.AsSpan().Fill((byte)' ');
        _ = Encoding.UTF8.GetBytes(label, padded);
        fixed (byte* pin = securityOfficer.Bytes, name = padded)
        {
            using var one = _slots.EnterScope();
            ReturnCode.Check(
                ((delegate* unmanaged[Cdecl]<ulong, byte*, ulong, byte*, ulong>)_functions[9])(target, pin, (ulong)securityOfficer.Bytes.Length, name),
                "C_InitToken");
        }

        // The module may renumber: the token is found again by its label.
        using var session = OpenSession(FindSlot(label) ?? target);
        Login(session.Value, Ck.SecurityOfficer, securityOfficer);
        fixed (byte* pin = user.Bytes)
        {
            ReturnCode.Check(
                ((delegate* unmanaged[Cdecl]<ulong, byte*, ulong, ulong>)_functions[10])(session.Value, pin, (ulong)user.Bytes.Length),
                "C_InitPIN");
        }
    }

    /// <summary>The mechanisms a slot's token offers.</summary>
    public IReadOnlySet<ulong> Mechanisms(ulong slot)
    {
        var call = (delegate* unmanaged[Cdecl]<ulong, ulong*, ulong*, ulong>)_functions[7];
        ulong count = 0;
        ReturnCode.Check(call(slot, null, &count), "C_GetMechanismList");
        var list = new ulong[count];
        fixed (ulong* p = list)
        {
            ReturnCode.Check(call(slot, p, &count), "C_GetMechanismList");
        }

        return list.AsSpan(0, (int)count).ToArray().ToHashSet();
    }

    /// <summary>Opens a read-write session.</summary>
    public SessionHandle OpenSession(ulong slot)
    {
        ulong session = 0;
        ReturnCode.Check(
            ((delegate* unmanaged[Cdecl]<ulong, ulong, void*, void*, ulong*, ulong>)_functions[12])(
                slot, Ck.SerialSession | Ck.ReadWriteSession, null, null, &session),
            "C_OpenSession");
        return new SessionHandle(this, session);
    }

    /// <summary>What the token in a slot says of itself.</summary>
    public TokenDescription Describe(ulong slot)
    {
        var info = TokenInfo(slot);
        return new TokenDescription(info?.Label ?? "", info?.Manufacturer ?? "", info?.Model ?? "", info?.Serial ?? "", info?.Firmware ?? "", [.. Mechanisms(slot).Order()]);
    }

    /// <summary>Closes a session; a session that is gone already is as good. Called by <see cref="SessionHandle"/> alone.</summary>
    internal void CloseSession(ulong session) => _ = ((delegate* unmanaged[Cdecl]<ulong, ulong>)_functions[13])(session);

    /// <summary>Logs in; a login holds for all sessions of the process with that token.</summary>
    public void Login(ulong session, ulong userType, Pin pin)
    {
        fixed (byte* p = pin.Bytes)
        {
            var code = ((delegate* unmanaged[Cdecl]<ulong, ulong, byte*, ulong, ulong>)_functions[18])(session, userType, p, (ulong)pin.Bytes.Length);
            if (code != ReturnCode.UserAlreadyLoggedIn)
            {
                ReturnCode.Check(code, "C_Login");
            }
        }
    }

    /// <summary>C_GetSessionInfo: whether the session still lives.</summary>
    public void CheckSession(ulong session)
    {
        var info = stackalloc ulong[4];
        ReturnCode.Check(((delegate* unmanaged[Cdecl]<ulong, ulong*, ulong>)_functions[15])(session, info), "C_GetSessionInfo");
    }

    // One thread at a time: SoftHSM 2.6 takes up tokens that are new while it lists the slots, without a lock, and two threads that find the same
    // one there end the process (SlotManager::insertToken).
    private ulong[] Slots()
    {
        using var one = _slots.EnterScope();
        var call = (delegate* unmanaged[Cdecl]<byte, ulong*, ulong*, ulong>)_functions[4];
        ulong count = 0;
        ReturnCode.Check(call(1, null, &count), "C_GetSlotList");
        // Another thread may plug a token between the two calls.
        count += 8;
        var list = new ulong[count];
        fixed (ulong* p = list)
        {
            ReturnCode.Check(call(1, p, &count), "C_GetSlotList");
        }

        return list[..(int)count];
    }

    private Info? TokenInfo(ulong slot)
    {
        // CK_TOKEN_INFO: label[32], manufacturer[32], model[16], serial[16], flags, ten counters, two versions of two bytes, time[16]: 208 bytes.
        var info = stackalloc byte[256];
        var code = ((delegate* unmanaged[Cdecl]<ulong, byte*, ulong>)_functions[6])(slot, info);
        return code != ReturnCode.Ok
            ? null
            : new Info(
                Text(info, 32), Text(info + 32, 32), Text(info + 64, 16), Text(info + 80, 16), string.Create(CultureInfo.InvariantCulture, $"{info[186]}.{info[187]}"),
                (*(ulong*)(info + 96) & Ck.TokenInitialized) != 0);
    }

    private static string Text(byte* padded, int length) => Encoding.UTF8.GetString(padded, length).TrimEnd(' ', '\0');

    private sealed record Info(string Label, string Manufacturer, string Model, string Serial, string Firmware, bool Initialized);
}
