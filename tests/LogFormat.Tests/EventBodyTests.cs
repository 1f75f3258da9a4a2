using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Trust.Crypto.Json;

namespace Trust.LogFormat.Tests;

public sealed class EventBodyTests
{
    private static readonly EventPlace Place = new("510000", "sign-1");
    private static readonly DateTimeOffset Now = new(2026, 11, 21, 8, 30, 0, TimeSpan.Zero);

    [Fact]
    public void A_body_is_its_own_canonical_form()
    {
        var body = Build(Full());
        using var document = JsonDocument.Parse(body.Bytes);
        Assert.Equal(Encoding.UTF8.GetString(CanonicalJson.Encode(document.RootElement)), Encoding.UTF8.GetString(body.Bytes));
        Assert.Equal("2026-11-21T08:30:00.000000Z", document.RootElement.GetProperty("time").GetString());
        Assert.Equal(body.Id.ToString(), document.RootElement.GetProperty("id").GetString());
    }

    [Fact]
    public void A_body_with_nothing_optional_is_canonical_too()
    {
        var body = Build(new AuditEvent { Action = "AUTH.login", Actor = new Actor("urn:mdid:p:1"), Subjects = [], Outcome = EventOutcome.Success });
        using var document = JsonDocument.Parse(body.Bytes);
        Assert.Equal(CanonicalJson.Encode(document.RootElement), body.Bytes);
    }

    [Fact]
    public void Sealed_detail_opens_with_its_own_key_only_and_is_not_in_the_body()
    {
        var body = Build(Full());
        Assert.DoesNotContain("张三", Encoding.UTF8.GetString(body.Bytes), StringComparison.Ordinal);
        using var document = JsonDocument.Parse(body.Bytes);
        var text = document.RootElement.GetProperty("sealed").GetString()!;
        Assert.Equal("张三", Encoding.UTF8.GetString(EventBody.Open(text, body.DataKey, body.Id)));
        Assert.ThrowsAny<CryptographicException>(() => EventBody.Open(text, new byte[32], body.Id));
        Assert.ThrowsAny<CryptographicException>(() => EventBody.Open(text, body.DataKey, new Trust.LogFormat.EventId(Guid.Empty)));
    }

    [Fact]
    public void Subjects_named_twice_appear_once()
    {
        var key = SubjectKey.Prescription("rx-1");
        var keys = new System.Buffers.ArrayBufferWriter<byte>();
        Assert.Null(EventBodyReader.Check(Build(Full() with { Subjects = [key, key] }).Bytes, keys, out var action));
        Assert.Equal(key.Key.ToArray(), keys.WrittenSpan.ToArray());
        Assert.Equal("SIGN.request", action);
    }

    [Theory]
    [InlineData("NOT.listed", "unknown-action")]
    [InlineData("RX.", "unknown-action")]
    [InlineData("RX.Claim", "unknown-action")]
    public void An_action_outside_the_catalogue_is_refused(string action, string reason) => Refused(Full() with { Action = action }, reason);

    [Fact]
    public void Text_that_breaks_a_bound_is_refused_by_name()
    {
        Refused(Full() with { Reason = "a\"b" }, "malformed", "reason");
        Refused(Full() with { Reason = "" }, "reason");
        Refused(Full() with { Basis = new string('x', 257) }, "basis");
        Refused(Full() with { Correlation = "a\nb" }, "correlation");
        Refused(Full() with { Outcome = "maybe" }, "outcome");
        Refused(Full() with { Actor = new Actor("urn:mdid:p:1", Certificate: "AB") }, "certificate");
        Refused(Full() with { Purpose = "for 11010519491231002X" }, "identity-number");
        Refused(Full() with { Subjects = [.. Enumerable.Range(0, 65).Select(i => SubjectKey.Prescription($"rx-{i}"))] }, "too-many-subjects", "too-large");
        Refused(Full() with { Sealed = new byte[4097] }, "sealed-too-large");
    }

    [Fact]
    public void No_single_changed_inserted_or_removed_byte_gives_a_second_spelling_of_the_same_members()
    {
        var good = Build(Full()).Bytes;
        Assert.Null(EventBodyReader.Check(good));
        using var original = JsonDocument.Parse(good);
        var accepted = 0;
        foreach (var bytes in Mutations(good))
        {
            if (!bytes.AsSpan().SequenceEqual(good) && EventBodyReader.Check(bytes) is null)
            {
                // Whatever passes is canonical JSON with other content.
                accepted++;
                using var document = JsonDocument.Parse(bytes);
                Assert.Equal(CanonicalJson.Encode(document.RootElement), bytes);
            }
        }

        Assert.True(accepted > 0);
    }

    [Fact]
    public void Arbitrary_bytes_never_throw()
    {
        var random = new Random(7);
        var good = Build(Full()).Bytes;
        for (var i = 0; i < 10_000; i++)
        {
            var bytes = good.ToArray();
            for (var n = random.Next(1, 8); n > 0; n--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            EventBodyReader.Check(bytes.AsSpan(0, random.Next(bytes.Length + 1)));
        }
    }

    private static IEnumerable<byte[]> Mutations(byte[] good)
    {
        for (var at = 0; at < good.Length; at++)
        {
            foreach (var b in "\" ,:{}x0\u00e9"u8.ToArray())
            {
                yield return [.. good[..at], b, .. good[(at + 1)..]];
                yield return [.. good[..at], b, .. good[at..]];
            }

            yield return [.. good[..at], .. good[(at + 1)..]];
        }
    }

    private static AuditEvent Full() => new()
    {
        Action = "SIGN.request",
        Actor = new Actor("urn:mdid:p:01J0", new string('a', 64), "physician", "urn:mdid:o:01J0"),
        Subjects = [SubjectKey.Prescription("rx-1"), SubjectKey.Patient(new byte[32])],
        Outcome = EventOutcome.Success,
        Class = "CLINICAL",
        Purpose = "TREATMENT",
        Basis = "consent:01J0",
        PermitNo = "none",
        OnBehalfOf = "urn:mdid:p:01J1",
        Reason = "ok",
        RuleVersion = "2026-11",
        Correlation = "c-1",
        Sealed = Encoding.UTF8.GetBytes("张三"),
    };

    private static BuiltEvent Build(AuditEvent e)
    {
        var built = EventBody.TryBuild(e, Place, Now, out var refusal);
        Assert.Null(refusal);
        return built!;
    }

    private static void Refused(AuditEvent e, params string[] reasons)
    {
        Assert.Null(EventBody.TryBuild(e, Place, Now, out var refusal));
        Assert.Contains(refusal, reasons);
    }

    // Judged as a whole, each of these would be a canonical body with a member that its author never gave.
    [Theory]
    [InlineData("basis", "x\",\"class\":\"RESTRICTED")]
    [InlineData("reason", "x\",\"ruleVersion\":\"forged")]
    [InlineData("institution", "x\",\"role\":\"regulator")]
    [InlineData("purpose", "x\",\"reason\":\"y")]
    [InlineData("correlation", "x\",\"id\":\"y")]
    [InlineData("node", "n\",\"region\":\"110000")]
    [InlineData("basis", "a\u0085b")]
    [InlineData("basis", "a\u009bc")]
    [InlineData("basis", "a\\u0022")]
    [InlineData("basis", "a\u007f")]
    public void A_value_cannot_write_another_member(string member, string value)
    {
        var e = Full();
        e = member switch
        {
            "basis" => e with { Basis = value }, "reason" => e with { Reason = value, RuleVersion = null }, "purpose" => e with { Purpose = value, Reason = null },
            "correlation" => e with { Correlation = value }, "institution" => e with { Actor = new Actor("urn:mdid:p:1", null, null, value) },
            _ => e,
        };
        var place = member == "node" ? Place with { Node = value } : Place;
        Assert.Null(EventBody.TryBuild(e, place, Now, out var refusal));
        Assert.Equal(member switch { "institution" => "actor", "node" => "where", _ => member }, refusal);
    }

    // What tells the result of a confirmed act is never refused: the card has signed by then. Nor is a login that failed: what it revoked is.
    [Theory]
    [InlineData("SIGN.done")]
    [InlineData("AUTH.fail")]
    public void Results_are_events_that_no_budget_refuses(string action)
    {
        Assert.True(EventCatalogue.TryGetMode(action, out var mode));
        Assert.Equal(EventMode.RightsReducing, mode);
    }
}
