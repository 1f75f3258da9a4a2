using System.Collections.Concurrent;

namespace Trust.Pkcs11;

/// <summary>A key's handles, valid for one login of one token.</summary>
/// <param name="Key">What callers see.</param>
/// <param name="Handle">Private or secret key object.</param>
internal sealed record KeyEntry(TokenKey Key, ulong Handle);

/// <summary>One login to a token that is there: module, slot and the handles read once at open.</summary>
internal sealed record LiveToken(
    Cryptoki Module, ulong Slot, SessionHandle LoginSession, TokenDescription Description, ConcurrentDictionary<string, KeyEntry> Keys)
{
    /// <summary>Mechanisms the token offers.</summary>
    public IReadOnlySet<ulong> Mechanisms { get; } = Description.Mechanisms.ToHashSet();

    /// <summary>Labels of SM2 keys whose mechanism table was proved by a signature that verified.</summary>
    public ConcurrentDictionary<string, bool> ProvedSm2 { get; } = new(StringComparer.Ordinal);
}

/// <summary>Finds the token by label, logs in and caches its handles; again when the token went away and came back.</summary>
internal sealed class TokenConnection(Cryptoki module, TokenOptions options)
{
    private readonly Lock _gate = new();
    private volatile LiveToken? _current;
    private TokenException? _pinRefused;

    public string Label => options.TokenLabel;

    /// <summary>The login in use; null while the token is away.</summary>
    public LiveToken? Current => _current;

    /// <summary>A fresh login, unless another thread has made one since <paramref name="failed"/>.</summary>
    /// <exception cref="TokenException">The token is away, or its PIN was refused (and then for good).</exception>
    public LiveToken Reopen(LiveToken? failed)
    {
        lock (_gate)
        {
            if (_current is { } other && !ReferenceEquals(other, failed))
            {
                return other;
            }

            if (_pinRefused is { } refused)
            {
                // Three wrong PINs lock most tokens: one refusal is enough until an operator restarts us.
                throw refused;
            }

            _current = null;
            failed?.LoginSession.Dispose();
            module.Initialize();
            var slot = module.FindSlot(options.TokenLabel)
                ?? throw new TokenException(0xE0, $"token {options.TokenLabel}");
            var session = module.OpenSession(slot);
            try
            {
                Login(session.Value);
                var live = new LiveToken(module, slot, session, module.Describe(slot), KeyCache.Read(module, session.Value));
                _current = live;
                return live;
            }
            catch (TokenException)
            {
                session.Dispose();
                throw;
            }
        }
    }

    /// <summary>Closes the login's own session; the token logs out with its last session.</summary>
    public void Close()
    {
        lock (_gate)
        {
            if (_current is { } live)
            {
                _current = null;
                live.LoginSession.Dispose();
            }
        }
    }

    private void Login(ulong session)
    {
        using var pin = Pin.Read(options.PinFile);
        try
        {
            module.Login(session, Ck.User, pin);
        }
        catch (TokenException e) when (e.Code is >= ReturnCode.PinIncorrect and <= ReturnCode.PinLocked)
        {
            _pinRefused = e;
            throw;
        }
    }
}
