using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Trust.Pkcs11;

namespace Trust.TestKit;

/// <summary>
/// A PKCS#11 function list inside this process: SoftHSM's, with some functions replaced so that a token can be made to fail
/// as a real one would. Faults are kept per token label, so tests run in parallel.
/// </summary>
public static unsafe partial class FaultyModule
{
    private const int Functions = 68;
    private const ulong DeviceRemoved = 0x32;
    private const ulong OperationActive = 0x90;
    private const ulong OperationNotInitialized = 0x91;
    private const ulong EcPoint = 0x181;
    private const ulong SessionHandleInvalid = 0xB3;
    private const ulong TokenNotPresent = 0xE0;

    private static readonly ConcurrentDictionary<string, TokenFaults> Faults = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<ulong, string> SessionLabels = new();
    private static readonly ConcurrentDictionary<ulong, bool> DeadSessions = new();
    private static readonly Lazy<string> Shim = new(() => ModuleShim.Build(BuildList()));
    private static nint* _real;

    /// <summary>Opens a token that exists through the faulty list.</summary>
    public static ValueTask<Pkcs11Token> Open(TokenOptions options, TimeProvider? clock = null) =>
        Pkcs11Token.Open(options with { ModulePath = Shim.Value }, clock ?? TimeProvider.System, CancellationToken.None);

    /// <summary>The faults of a token.</summary>
    public static TokenFaults For(string label) => Faults.GetOrAdd(label, _ => new TokenFaults());

    private static nint BuildList()
    {
        _ = Tokens.SoftHsm;
        var library = NativeLibrary.Load(SoftHsmPath());
        nint real;
        var get = (delegate* unmanaged[Cdecl]<nint*, ulong>)NativeLibrary.GetExport(library, "C_GetFunctionList");
        if (get(&real) != 0)
        {
            throw new InvalidOperationException("C_GetFunctionList failed.");
        }

        var list = (nint*)NativeMemory.AllocZeroed((nuint)((Functions + 1) * sizeof(nint)));
        Buffer.MemoryCopy((void*)real, list, (Functions + 1) * sizeof(nint), (Functions + 1) * sizeof(nint));
        _real = (nint*)(real + sizeof(nint));
        var table = list + 1;
        table[12] = (nint)(delegate* unmanaged[Cdecl]<ulong, ulong, nint, nint, ulong*, ulong>)&OpenSession;
        table[13] = (nint)(delegate* unmanaged[Cdecl]<ulong, ulong>)&CloseSession;
        table[24] = (nint)(delegate* unmanaged[Cdecl]<ulong, ulong, Template*, ulong, ulong>)&GetAttributeValue;
        table[26] = (nint)(delegate* unmanaged[Cdecl]<ulong, Template*, ulong, ulong>)&FindObjectsInit;
        table[15] = (nint)(delegate* unmanaged[Cdecl]<ulong, nint, ulong>)&GetSessionInfo;
        table[18] = (nint)(delegate* unmanaged[Cdecl]<ulong, ulong, byte*, ulong, ulong>)&Login;
        table[42] = (nint)(delegate* unmanaged[Cdecl]<ulong, ulong*, ulong, ulong>)&SignInit;
        table[43] = (nint)(delegate* unmanaged[Cdecl]<ulong, byte*, ulong, byte*, ulong*, ulong>)&Sign;
        AddVendorSm2(table);
        AddAgreement(table);
        for (var i = 0; i < Functions; i++)
        {
            // The library turns every entry into a delegate when it loads the module, and takes no null.
            if (table[i] == 0)
            {
                throw new InvalidOperationException($"Function {i} of the list is missing.");
            }
        }

        return (nint)list;
    }

    private static string SoftHsmPath() => Tokens.SoftHsm.ModulePath;

    private static string LabelOf(ulong slot)
    {
        var info = stackalloc byte[256];
        return ((delegate* unmanaged[Cdecl]<ulong, byte*, ulong>)_real[6])(slot, info) == 0
            ? Encoding.UTF8.GetString(info, 32).TrimEnd(' ', '\0')
            : string.Empty;
    }

    private static TokenFaults Of(ulong session) =>
        SessionLabels.TryGetValue(session, out var label) ? For(label) : new TokenFaults();

    private static bool IsDead(ulong session) => DeadSessions.ContainsKey(session);

    private static void KillSessions(ulong session)
    {
        var label = SessionLabels[session];
        foreach (var (other, name) in SessionLabels)
        {
            if (string.Equals(name, label, StringComparison.Ordinal))
            {
                DeadSessions[other] = true;
            }
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong OpenSession(ulong slot, ulong flags, nint application, nint notify, ulong* session)
    {
        var label = LabelOf(slot);
        if (For(label).Removed)
        {
            return TokenNotPresent;
        }

        var code = ((delegate* unmanaged[Cdecl]<ulong, ulong, nint, nint, ulong*, ulong>)_real[12])(slot, flags, application, notify, session);
        if (code == 0)
        {
            _ = DeadSessions.TryRemove(*session, out _);
            SessionLabels[*session] = label;
        }

        return code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong CloseSession(ulong session)
    {
        _ = SessionLabels.TryRemove(session, out _);
        _ = DeadSessions.TryRemove(session, out _);
        return ((delegate* unmanaged[Cdecl]<ulong, ulong>)_real[13])(session);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong GetSessionInfo(ulong session, nint info) =>
        IsDead(session) ? SessionHandleInvalid
        : Of(session).Removed ? DeviceRemoved
        : ((delegate* unmanaged[Cdecl]<ulong, nint, ulong>)_real[15])(session, info);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong Login(ulong session, ulong user, byte* pin, ulong length)
    {
        var faults = Of(session);
        faults.CountLogin();
        return faults.LoginCode != 0
            ? faults.LoginCode
            : ((delegate* unmanaged[Cdecl]<ulong, ulong, byte*, ulong, ulong>)_real[18])(session, user, pin, length);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong GetAttributeValue(ulong session, ulong handle, Template* attributes, ulong count)
    {
        if (attributes->Type == EcPoint && Of(session).EcPointLength is { } length)
        {
            if (attributes->Value is not null)
            {
                new Span<byte>(attributes->Value, (int)length).Clear();
            }

            attributes->Length = length;
            return 0;
        }

        if (attributes->Type == KeyValue && Of(session).ValueCode is not 0 and var refused)
        {
            return refused;
        }

        return ((delegate* unmanaged[Cdecl]<ulong, ulong, Template*, ulong, ulong>)_real[24])(session, handle, attributes, count);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong FindObjectsInit(ulong session, Template* attributes, ulong count)
    {
        Of(session).CountSearch();
        return ((delegate* unmanaged[Cdecl]<ulong, Template*, ulong, ulong>)_real[26])(session, attributes, count);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong SignInit(ulong session, ulong* mechanism, ulong key)
    {
        if (IsDead(session))
        {
            return SessionHandleInvalid;
        }

        var faults = Of(session);
        var failing = faults.TakeSignInitFault();
        if (failing && faults.Took == Took.NoEffect)
        {
            return faults.SignCode;
        }

        var code = VendorSignInit(session, *mechanism, key)
            ?? ((delegate* unmanaged[Cdecl]<ulong, ulong*, ulong, ulong>)_real[42])(session, mechanism, key);
        return failing ? faults.SignCode : code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong Sign(ulong session, byte* data, ulong length, byte* signature, ulong* signatureLength)
    {
        var faults = Of(session);
        if (IsDead(session))
        {
            return SessionHandleInvalid;
        }

        faults.WaitAtSignGate();
        if (faults.Removed)
        {
            KillSessions(session);
            return DeviceRemoved;
        }

        var failing = faults.TakeSignFault();
        if (failing && faults.Took == Took.NoEffect)
        {
            Fail(session, faults);
            return faults.SignCode;
        }

        faults.CountSign();
        var code = VendorSign(session, data, length, signature, signatureLength)
            ?? ((delegate* unmanaged[Cdecl]<ulong, byte*, ulong, byte*, ulong*, ulong>)_real[43])(session, data, length, signature, signatureLength);
        if (failing)
        {
            Fail(session, faults);
            return faults.SignCode;
        }

        return code;
    }

    // A session that is out of step lives on, and so do the others of its token.
    private static void Fail(ulong session, TokenFaults faults)
    {
        if (faults.SignCode is not (OperationActive or OperationNotInitialized))
        {
            KillSessions(session);
        }
    }
}
