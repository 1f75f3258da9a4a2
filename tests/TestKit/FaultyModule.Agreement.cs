using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Trust.TestKit;

/// <summary>Agreement on a point: C_DeriveKey, and what becomes of the keys that it makes.</summary>
public static unsafe partial class FaultyModule
{
    private const ulong KeyValue = 0x11;

    private static readonly ConcurrentDictionary<ulong, TokenFaults> Derived = new();

    private static void AddAgreement(nint* table)
    {
        table[22] = (nint)(delegate* unmanaged[Cdecl]<ulong, ulong, ulong>)&DestroyObject;
        table[62] = (nint)(delegate* unmanaged[Cdecl]<ulong, nint, ulong, Template*, ulong, ulong*, ulong>)&DeriveKey;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong DeriveKey(ulong session, nint mechanism, ulong baseKey, Template* attributes, ulong count, ulong* handle)
    {
        var faults = Of(session);
        if (IsDead(session))
        {
            return SessionHandleInvalid;
        }

        var failing = faults.TakeDerivationFault();
        if (failing && faults.Took == Took.NoEffect)
        {
            KillSessions(session);
            return DeviceRemoved;
        }

        var code = ((delegate* unmanaged[Cdecl]<ulong, nint, ulong, Template*, ulong, ulong*, ulong>)_real[62])(
            session, mechanism, baseKey, attributes, count, handle);
        faults.CountDerivation();
        if (failing)
        {
            // What it made goes with its session.
            KillSessions(session);
            return DeviceRemoved;
        }

        if (code == 0)
        {
            faults.CountDerived(1);
            Derived[*handle] = faults;
        }

        return code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static ulong DestroyObject(ulong session, ulong handle)
    {
        var code = ((delegate* unmanaged[Cdecl]<ulong, ulong, ulong>)_real[22])(session, handle);
        if (code == 0 && Derived.TryRemove(handle, out var faults))
        {
            faults.CountDerived(-1);
        }

        return code;
    }
}
