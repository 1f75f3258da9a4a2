using System.Collections.Concurrent;
using Net.Pkcs11Interop.Common;

namespace Trust.Pkcs11;

/// <summary>One login to a token that is there: module, slot and its keys.</summary>
internal sealed record LiveToken(Pkcs11Module Module, ulong Slot, TokenSession LoginSession, TokenDescription Description, KeyDirectory Keys)
{
    /// <summary>Mechanisms the token offers.</summary>
    public IReadOnlySet<ulong> Mechanisms { get; } = Description.Mechanisms.ToHashSet();

    /// <summary>Labels of SM2 keys whose mechanism table was proved by a signature that verified.</summary>
    public ConcurrentDictionary<string, bool> ProvedSm2 { get; } = new(StringComparer.Ordinal);
}

/// <summary>Finds the token by label, logs in and reads its keys; again when the token went away and came back.</summary>
internal sealed class TokenConnection(Pkcs11Module module, TokenOptions options, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private volatile LiveToken? _current;
    private TokenException? _pinRefused;

    public string Label => options.TokenLabel;

    /// <summary>The login in use; null while the token is away.</summary>
    public LiveToken? Current => _current;

    /// <summary>A fresh login, unless another thread has made one since <paramref name="failed"/>.</summary>
    /// <param name="failed">The login that does not serve any more; null when there was none.</param>
    /// <param name="progress">Called after each object read.</param>
    /// <exception cref="TokenException">
    /// The token is away; its PIN was refused (and then for good); or TOKEN_UNREADABLE: whatever else kept it from being opened.
    /// </exception>
    public LiveToken Reopen(LiveToken? failed, Action progress)
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
            try
            {
                return _current = Open(progress);
            }
#pragma warning disable CA1031 // The PIN file, what others stored in the token and the module itself are not ours: none of them may end a session's thread.
            catch (Exception e) when (e is not TokenException)
#pragma warning restore CA1031
            {
                throw new TokenException(TokenException.Unreadable, $"Token {Label} cannot be opened ({e.GetType().Name}: {e.Message}).", e);
            }
        }
    }

    /// <summary>Closes the login's own session; the token logs out with its last session.</summary>
    public void Close()
    {
        // A thread that hangs in reopening keeps the gate; the session it would make is closed with the process.
        if (_gate.TryEnter())
        {
            try
            {
                _current?.LoginSession.Dispose();
                _current = null;
            }
            finally
            {
                _gate.Exit();
            }
        }
    }

    private LiveToken Open(Action progress)
    {
        module.Initialize();
        var slot = module.FindSlot(options.TokenLabel)
            ?? throw new TokenException(CKR.CKR_TOKEN_NOT_PRESENT, $"token {options.TokenLabel}");
        var session = module.OpenSession(slot);
        var opened = false;
        try
        {
            Login(session);
            var keys = new KeyDirectory(clock);
            foreach (var key in KeyReader.Read(session, label: null, keys.Now, progress))
            {
                keys.Add(key);
            }

            var live = new LiveToken(module, slot, session, module.Describe(slot), keys);
            opened = true;
            return live;
        }
        finally
        {
            if (!opened)
            {
                session.Dispose();
            }
        }
    }

    private void Login(TokenSession session)
    {
        using var pin = Pin.Read(options.PinFile);
        try
        {
            session.Login(CKU.CKU_USER, pin);
        }
        catch (TokenException e) when (e.ReturnValue is >= CKR.CKR_PIN_INCORRECT and <= CKR.CKR_PIN_LOCKED)
        {
            _pinRefused = e;
            throw;
        }
    }
}
