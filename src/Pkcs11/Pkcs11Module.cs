using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Net.Pkcs11Interop.Common;
using Net.Pkcs11Interop.LowLevelAPI80;

namespace Trust.Pkcs11;

/// <summary>
/// A loaded PKCS#11 module: what is asked of a module or a slot rather than of a session. One per module path and process, because
/// C_Initialize is a process-wide act; never finalised or unloaded, because other tokens of the module may be in use and modules keep threads.
/// </summary>
internal sealed class Pkcs11Module
{
    private static readonly ConcurrentDictionary<string, Lazy<Pkcs11Module>> Loaded = new(StringComparer.Ordinal);

    // For the process and not for the module: two paths may lead to one module (a link, or a proxy such as pkcs11-spy).
    private static readonly Lock SlotLists = new();

    private readonly Pkcs11Library _library;

    static Pkcs11Module() =>
        // The library calls dlopen in "libdl", a name that glibc 2.34 and later have only with its version.
        NativeLibrary.SetDllImportResolver(
            typeof(Pkcs11Library).Assembly,
            (name, assembly, paths) => name is "libdl" && OperatingSystem.IsLinux() ? NativeLibrary.Load("libdl.so.2", assembly, paths) : 0);

    private Pkcs11Module(string path)
    {
        _library = Open(path);
        Initialize();
    }

    /// <summary>The module at a path, loaded and initialised once.</summary>
    /// <exception cref="TokenException">MODULE: not loadable, not a PKCS#11 module, or not a 64-bit Unix.</exception>
    public static Pkcs11Module Load(string path) =>
        Loaded.GetOrAdd(Path.GetFullPath(path), p => new Lazy<Pkcs11Module>(() => new Pkcs11Module(p))).Value;

    /// <summary>C_Initialize with operating-system locking; initialised already is fine.</summary>
    public void Initialize()
    {
        var code = _library.C_Initialize(new CK_C_INITIALIZE_ARGS { Flags = CKF.CKF_OS_LOCKING_OK });
        if (code != CKR.CKR_CRYPTOKI_ALREADY_INITIALIZED)
        {
            ReturnCode.Check(code, "C_Initialize");
        }
    }

    /// <summary>The slot that holds the token of that label; null when none does.</summary>
    public ulong? FindSlot(string label)
    {
        foreach (var slot in Slots())
        {
            if (TokenInfo(slot) is { } info && IsInitialized(info) && string.Equals(Text(info.Label), label, StringComparison.Ordinal))
            {
                return slot;
            }
        }

        return null;
    }

    /// <summary>Whether the token of a slot has its user PIN, the last step of its initialisation.</summary>
    public bool HasUserPin(ulong slot) => TokenInfo(slot) is { } info && (info.Flags & CKF.CKF_USER_PIN_INITIALIZED) != 0;

    /// <summary>Initialises a blank slot's token: label, security officer PIN, user PIN.</summary>
    /// <exception cref="TokenException">The label is in use, no slot is blank, or the module refuses.</exception>
    public void InitializeToken(string label, Pin securityOfficer, Pin user)
    {
        // One whose initialisation was cut off before it had a user PIN holds nothing: it is begun anew.
        var blank = FindSlot(label);
        if (blank is { } named && HasUserPin(named))
        {
            throw new TokenException("LABEL_IN_USE", $"A token named {label} exists already.");
        }

        foreach (var slot in Slots())
        {
            if (blank is null && (TokenInfo(slot) is not { } info || !IsInitialized(info)))
            {
                blank = slot;
            }
        }

        var target = blank ?? throw new TokenException("NO_BLANK_TOKEN", "The module offers no blank token.");
        var padded = new byte[32];
        padded.AsSpan().Fill((byte)' ');
        _ = Encoding.UTF8.GetBytes(label, padded);
        using (SlotLists.EnterScope())
        {
            ReturnCode.Check(_library.C_InitToken(target, securityOfficer.Bytes, (ulong)securityOfficer.Bytes.Length, padded), "C_InitToken");
        }

        // The module may renumber: the token is found again by its label.
        using var session = OpenSession(FindSlot(label) ?? target);
        session.Login(CKU.CKU_SO, securityOfficer);
        session.SetUserPin(user);
    }

    /// <summary>Opens a read-write session.</summary>
    public TokenSession OpenSession(ulong slot)
    {
        ulong session = 0;
        ReturnCode.Check(
            _library.C_OpenSession(slot, CKF.CKF_SERIAL_SESSION | CKF.CKF_RW_SESSION, 0, 0, ref session), "C_OpenSession");
        return new TokenSession(_library, session);
    }

    /// <summary>What the token in a slot says of itself.</summary>
    public TokenDescription Describe(ulong slot)
    {
        List<ulong> mechanisms = [.. Mechanisms(slot).Order()];
        return TokenInfo(slot) is { } info
            ? new TokenDescription(
                Text(info.Label), Text(info.ManufacturerId), Text(info.Model), Text(info.SerialNumber),
                string.Create(CultureInfo.InvariantCulture, $"{info.FirmwareVersion.Major[0]}.{info.FirmwareVersion.Minor[0]}"), mechanisms)
            : new TokenDescription("", "", "", "", "", mechanisms);
    }

    private static Pkcs11Library Open(string path)
    {
        if (OperatingSystem.IsWindows() || !Environment.Is64BitProcess)
        {
            throw new TokenException("MODULE", "Modules are called with the 64-bit Unix layout of PKCS#11; other platforms need their own.");
        }

        try
        {
            return new Pkcs11Library(path);
        }
#pragma warning disable CA1031 // Whatever the library says of a file it cannot take (five kinds of exception), the operator can do one thing.
        catch (Exception e)
#pragma warning restore CA1031
        {
            throw new TokenException("MODULE", $"{path} cannot be loaded as a PKCS#11 module: check the path and that it is installed.", e);
        }
    }

    private IEnumerable<ulong> Mechanisms(ulong slot)
    {
        ulong count = 0;
        ReturnCode.Check(_library.C_GetMechanismList(slot, null, ref count), "C_GetMechanismList");
        var list = new CKM[count];
        ReturnCode.Check(_library.C_GetMechanismList(slot, list, ref count), "C_GetMechanismList");
        return list.Take((int)count).Select(m => (ulong)m);
    }

    // One thread at a time: SoftHSM 2.6 takes up tokens that are new while it lists the slots, without a lock, and two threads that find the same
    // one there end the process (SlotManager::insertToken).
    private ulong[] Slots()
    {
        using var one = SlotLists.EnterScope();
        ulong count = 0;
        ReturnCode.Check(_library.C_GetSlotList(true, null, ref count), "C_GetSlotList");
        // Another thread may plug a token between the two calls.
        count += 8;
        var list = new ulong[count];
        ReturnCode.Check(_library.C_GetSlotList(true, list, ref count), "C_GetSlotList");
        return list[..(int)count];
    }

    private CK_TOKEN_INFO? TokenInfo(ulong slot)
    {
        var info = default(CK_TOKEN_INFO);
        return _library.C_GetTokenInfo(slot, ref info) == CKR.CKR_OK ? info : null;
    }

    private static bool IsInitialized(CK_TOKEN_INFO info) => (info.Flags & CKF.CKF_TOKEN_INITIALIZED) != 0;

    private static string Text(byte[] padded) => Encoding.UTF8.GetString(padded).TrimEnd(' ', '\0');
}
