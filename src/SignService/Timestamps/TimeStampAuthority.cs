using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Trust.Crypto.Asn1;
using Trust.Pkcs11;
using Trust.SignService.Keys;

namespace Trust.SignService.Timestamps;

/// <summary>What the authority answered.</summary>
public abstract record StampOutcome
{
    private StampOutcome()
    {
    }

    /// <summary>A token.</summary>
    /// <param name="Token">DER ContentInfo.</param>
    /// <param name="Time">The time it states.</param>
    public sealed record Stamped(byte[] Token, DateTimeOffset Time) : StampOutcome;

    /// <summary>No token.</summary>
    public sealed record Refused(TimeStampFailure Failure, string Text) : StampOutcome;
}

/// <summary>Gives RFC 3161 time-stamps with the token-held key. Time never runs backwards, not over a restart either, and agrees with the ledger's.</summary>
public sealed class TimeStampAuthority(
    TimeStampKey key, StampMark mark, LedgerClock ledger, SignOptions options, TimeProvider clock, ILogger<TimeStampAuthority> log)
{
    private long last;

    /// <summary>Stamps an imprint.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="lane">Whether anyone may have asked it.</param>
    /// <param name="ct">Cancels.</param>
    public async ValueTask<StampOutcome> Stamp(TimeStampRequest request, TokenLane lane, CancellationToken ct)
    {
        if (request.Policy is { } asked && !string.Equals(asked, options.TimeStampPolicy, StringComparison.Ordinal))
        {
            return new StampOutcome.Refused(TimeStampFailure.UnacceptedPolicy, "This authority stamps under its own policy only.");
        }

        var now = clock.GetUtcNow();
        // Before the mark: a clock that runs ahead must not move it to where the right time comes only tomorrow.
        if (!await ledger.Agrees(now, ct))
        {
            SignLog.ClocksDiffer(log, now);
            return new StampOutcome.Refused(TimeStampFailure.TimeNotAvailable, "The clock does not agree with the audit ledger's.");
        }

        if (!key.IsValidAt(now))
        {
            return new StampOutcome.Refused(TimeStampFailure.SystemFailure, "The authority's certificate is not valid now.");
        }

        if (!Advance(now) || !await mark.Admits(now, ct))
        {
            return new StampOutcome.Refused(TimeStampFailure.TimeNotAvailable, "The clock is being corrected.");
        }

        var info = new TimeStampInfo(
            options.TimeStampPolicy, request.HashOid, request.Imprint, NewSerial(), now, options.ClockAccuracy, request.Nonce,
            request.NullParameters);
        var certificates = key.Certificates;
        var token = await TimeStamp.IssueToken(info, certificates[0], request.CertificateWanted ? certificates : [], key.SignerFor(lane), ct);
        return new StampOutcome.Stamped(token, now);
    }

    /// <summary>Stamps data for this service's own signatures.</summary>
    public ValueTask<StampOutcome> Stamp(ReadOnlySpan<byte> data, CancellationToken ct) =>
        Stamp(new TimeStampRequest(Oids.Sha256, SHA256.HashData(data)), TokenLane.Service, ct);

    private static byte[] NewSerial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x7F) | 0x40);
        return serial;
    }

    // A clock set back by more than the stated accuracy would let a later signature look earlier: stop instead.
    private bool Advance(DateTimeOffset now)
    {
        while (true)
        {
            var seen = Interlocked.Read(ref last);
            if (now.UtcTicks < seen - options.ClockAccuracy.Ticks)
            {
                SignLog.ClockWentBack(log, new DateTimeOffset(seen, TimeSpan.Zero), now);
                return false;
            }

            if (now.UtcTicks <= seen || Interlocked.CompareExchange(ref last, now.UtcTicks, seen) == seen)
            {
                return true;
            }
        }
    }
}
