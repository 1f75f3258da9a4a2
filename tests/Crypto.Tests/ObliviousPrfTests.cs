using System.Numerics;
using System.Security.Cryptography;
using CsCheck;
using ScalarNumber = Org.BouncyCastle.Math.BigInteger;

namespace Trust.Crypto.Tests;

public sealed class ObliviousPrfTests
{
    private static readonly byte[] Order = Convert.FromHexString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    private static readonly BigInteger P = Number(Convert.FromHexString("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"));
    private static readonly BigInteger B = Number(Convert.FromHexString("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"));

    // RFC 9497 A.3.1, P256-SHA256 in OPRF mode, both vectors: skSm and Blind are the same in both.
    private static readonly byte[] Key = Convert.FromHexString("159749d750713afe245d2d39ccfaae8381c53ce92d098a9375ee70739c7ac0bf");
    private static readonly byte[] BlindOfVectors = Convert.FromHexString("3338fa65ec36e0290022b48eb562889d89dbfa691d1cde91517fa222ed7ad364");

    [Theory]
    [InlineData(
        "00",
        "03723a1e5c09b8b9c18d1dcbca29e8007e95f14f4732d9346d490ffc195110368d",
        "030de02ffec47a1fd53efcdd1c6faf5bdc270912b8749e783c7ca75bb412958832",
        "a0b34de5fa4c5b6da07e72af73cc507cceeb48981b97b7285fc375345fe495dd")]
    [InlineData(
        "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
        "03cc1df781f1c2240a64d1c297b3f3d16262ef5d4cf102734882675c26231b0838",
        "03a0395fe3828f2476ffcd1f4fe540e5a8489322d398be3c4e5a869db7fcb7c52c",
        "c748ca6dd327f0ce85f4ae3a8cd6d4d5390bbb804c9e12dcf94f853fece3dcce")]
    public void The_vectors_of_RFC_9497_hold_but_for_the_one_bit(string input, string blinded, string evaluated, string output)
    {
        var text = Convert.FromHexString(input);
        var asked = ObliviousPrf.Blind(text, BlindOfVectors);
        Assert.Equal(blinded, Convert.ToHexStringLower(asked.Element.Span));

        var answer = Multiply(Key, asked.Element.Span);
        Assert.Equal(evaluated[2..], Convert.ToHexStringLower(answer));

        // The RFC's own element, from its own evaluation with its sign: what it hashes is what it prints.
        Assert.True(P256Point.TryDecompress(Convert.FromHexString(evaluated), out var point));
        var inverse = new ScalarNumber(1, BlindOfVectors).ModInverse(new ScalarNumber(1, Order));
        var theirs = point.Multiply(inverse).Normalize().GetEncoded(true);
        Assert.Equal(output, Convert.ToHexStringLower(ObliviousPrf.Output(text, theirs)));

        Assert.True(asked.TryFinish(answer, out var ours));
        Assert.Equal(ObliviousPrf.Output(text, [0x02, .. theirs.AsSpan(1)]), ours);
        Assert.Equal(theirs[0] == 0x02, string.Equals(output, Convert.ToHexStringLower(ours), StringComparison.Ordinal));
    }

    // Not in the RFC: RFC 9497's Evaluate with the key of A.3.1, computed by another program; the element's prefix, and the output over it.
    [Theory]
    [InlineData("696e7075742030", 0x02, "7a1aea8e273f2fb60ac17e2fb9fc588167b3639c548d1470e52079eeff8ddb97")]
    [InlineData("696e7075742034", 0x03, "17857d700f865e022893b728c006ef0b34754f6e48c8d235b2bc41d4d643b806")]
    public void The_output_is_the_RFCs_where_the_element_has_prefix_02_and_another_where_it_has_03(string input, byte prefix, string output)
    {
        var asked = ObliviousPrf.Blind(Convert.FromHexString(input));

        Assert.True(asked.TryFinish(Multiply(Key, asked.Element.Span), out var ours));

        Assert.Equal(prefix == 0x02, string.Equals(output, Convert.ToHexStringLower(ours), StringComparison.Ordinal));
    }

    [Fact]
    public void One_input_under_one_key_has_one_output_whatever_the_blind() => Gen.Select(Gen.Byte.Array[0, 80], Scalar).Sample(
        (input, key) =>
        {
            var (one, other) = (ObliviousPrf.Blind(input), ObliviousPrf.Blind(input));

            Assert.NotEqual(one.Element.ToArray(), other.Element.ToArray());
            Assert.Equal(Finish(one, key), Finish(other, key));
        },
        iter: 200);

    [Fact]
    public void Another_input_or_another_key_has_another_output() => Gen.Select(Gen.Byte.Array[0, 80], Gen.Byte.Array[0, 80], Scalar, Scalar).Sample(
        (input, another, key, anotherKey) =>
        {
            var output = Finish(ObliviousPrf.Blind(input), key);

            Assert.Equal(input.AsSpan().SequenceEqual(another), output.AsSpan().SequenceEqual(Finish(ObliviousPrf.Blind(another), key)));
            Assert.Equal(key.AsSpan().SequenceEqual(anotherKey), output.AsSpan().SequenceEqual(Finish(ObliviousPrf.Blind(input), anotherKey)));
        },
        iter: 200);

    [Fact]
    public void An_answer_to_another_question_gives_another_output()
    {
        var (one, other) = (ObliviousPrf.Blind("110105"u8), ObliviousPrf.Blind("110105"u8));
        Assert.True(one.TryFinish(Multiply(Key, other.Element.Span), out var crossed));
        Assert.NotEqual(Finish(one, Key), crossed);
    }

    [Fact]
    public void A_blind_is_from_1_to_the_order_less_1()
    {
        var last = (byte[])[.. Order.AsSpan(0, 31), (byte)(Order[31] - 1)];
        var first = (byte[])[.. new byte[31], 1];

        // Times 1 it is the input's own point, times -1 its negative.
        Assert.True(ObliviousPrf.TryToPoint(ObliviousPrf.Blind("m"u8, first).Element.Span, out var own));
        Assert.True(ObliviousPrf.TryToPoint(ObliviousPrf.Blind("m"u8, last).Element.Span, out var negative));
        Assert.Equal(own.Take(33), negative.Take(33));
        Assert.Equal(P, Number(own.AsSpan(33)) + Number(negative.AsSpan(33)));

        foreach (var no in new[] { new byte[32], Order, [.. Enumerable.Repeat((byte)0xFF, 32)], first[1..], [0, .. first] })
        {
            Assert.Throws<CryptographicException>(() => ObliviousPrf.Blind("m"u8, no));
        }
    }

    [Fact]
    public void An_input_is_shorter_than_65535_bytes()
    {
        Assert.Equal(32, Finish(ObliviousPrf.Blind(new byte[65534]), Key).Length);
        Assert.Throws<CryptographicException>(() => ObliviousPrf.Blind(new byte[65535]));
    }

    [Fact]
    public void An_element_is_33_bytes_of_a_point_on_the_curve_and_nothing_else()
    {
        var good = ObliviousPrf.Blind("m"u8).Element.ToArray();
        Assert.True(ObliviousPrf.TryToPoint(good, out var point));
        byte[] again = [(byte)(2 + (point[64] & 1)), .. point[1..33]];
        Assert.Equal(good, again);

        for (var prefix = 0; prefix < 256; prefix++)
        {
            Assert.Equal(prefix is 2 or 3, ObliviousPrf.IsElement([(byte)prefix, .. good.AsSpan(1)]));
        }

        byte[][] malformed =
        [
            [], [0], [2], good[..32], [.. good, 0], point, [6, .. point.AsSpan(1)], new byte[33],
            [2, .. Bytes(P)], [3, .. Bytes(P)], [2, .. Enumerable.Repeat((byte)0xFF, 32)],
            // 5 + p: an x that a point has, written a second way.
            [2, .. Bytes(P + 5)],
        ];
        Assert.True(ObliviousPrf.IsElement([2, .. Bytes(5)]));
        Assert.All(malformed, m => Assert.False(ObliviousPrf.IsElement(m)));
        Assert.All(malformed, m => Assert.False(ObliviousPrf.TryToPoint(m, out _)));
    }

    [Fact]
    public void Mutated_elements_are_taken_only_where_arithmetic_of_another_kind_takes_them()
    {
        var good = ObliviousPrf.Blind("m"u8).Element.ToArray();
        var random = new Random(5);
        var taken = 0;
        for (var i = 0; i < 3_000; i++)
        {
            var mutant = Mutation.Of(good, random);
            var isElement = ObliviousPrf.IsElement(mutant);
            Assert.Equal(mutant.Length == 33 && mutant[0] is 2 or 3 && IsAbscissa(mutant.AsSpan(1)), isElement);
            taken += isElement ? 1 : 0;
        }

        Assert.InRange(taken, 100, 2_000);
    }

    [Fact]
    public void An_answer_that_is_no_x_of_the_curve_is_refused()
    {
        var asked = ObliviousPrf.Blind("m"u8);
        Gen.Byte.Array[32].Sample(x => Assert.Equal(IsAbscissa(x), asked.TryFinish(x, out _)), iter: 1_000);

        var x = Multiply(Key, asked.Element.Span);
        byte[][] malformed = [[], x[1..], [.. x, 0], [2, .. x], Bytes(P), Bytes(P + 5), [.. Enumerable.Repeat((byte)0xFF, 32)]];
        Assert.True(asked.TryFinish(Bytes(5), out _));
        foreach (var no in malformed)
        {
            Assert.False(asked.TryFinish(no, out var output));
            Assert.Empty(output);
        }
    }

    private static Gen<byte[]> Scalar { get; } = Gen.Byte.Array[32].Where(s => s.AsSpan().ContainsAnyExcept((byte)0) && s.AsSpan().SequenceCompareTo(Order) < 0);

    private static byte[] Finish(BlindedInput asked, byte[] key)
    {
        Assert.True(asked.TryFinish(Multiply(key, asked.Element.Span), out var output));
        return output;
    }

    // As a token does it, by the platform's ECDH.
    private static byte[] Multiply(byte[] key, ReadOnlySpan<byte> element)
    {
        Assert.True(ObliviousPrf.TryToPoint(element, out var point));
        using var holder = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = key });
        using var asker = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = point[1..33], Y = point[33..] } });
        return holder.DeriveRawSecretAgreement(asker.PublicKey);
    }

    // Euler's criterion for x³ - 3x + b.
    private static bool IsAbscissa(ReadOnlySpan<byte> x)
    {
        var at = Number(x);
        return at < P && BigInteger.ModPow((BigInteger.ModPow(at, 3, P) + ((P - 3) * at) + B) % P, (P - 1) / 2, P) <= 1;
    }

    private static BigInteger Number(ReadOnlySpan<byte> bytes) => new(bytes, isUnsigned: true, isBigEndian: true);

    private static byte[] Bytes(BigInteger number)
    {
        var bytes = number.ToByteArray(isUnsigned: true, isBigEndian: true);
        return [.. new byte[32 - bytes.Length], .. bytes];
    }
}
