using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Trust.Crypto.Json;

namespace Trust.Crypto.Tests.Json;

public sealed class CanonicalJsonTests
{
    // RFC 8785 appendix B.
    [Theory]
    [InlineData("0000000000000000", "0")]
    [InlineData("8000000000000000", "0")]
    [InlineData("0000000000000001", "5e-324")]
    [InlineData("8000000000000001", "-5e-324")]
    [InlineData("7fefffffffffffff", "1.7976931348623157e+308")]
    [InlineData("ffefffffffffffff", "-1.7976931348623157e+308")]
    [InlineData("4340000000000000", "9007199254740992")]
    [InlineData("c340000000000000", "-9007199254740992")]
    [InlineData("4430000000000000", "295147905179352830000")]
    [InlineData("44b52d02c7e14af5", "9.999999999999997e+22")]
    [InlineData("44b52d02c7e14af6", "1e+23")]
    [InlineData("44b52d02c7e14af7", "1.0000000000000001e+23")]
    [InlineData("444b1ae4d6e2ef4e", "999999999999999700000")]
    [InlineData("444b1ae4d6e2ef4f", "999999999999999900000")]
    [InlineData("444b1ae4d6e2ef50", "1e+21")]
    [InlineData("3eb0c6f7a0b5ed8c", "9.999999999999997e-7")]
    [InlineData("3eb0c6f7a0b5ed8d", "0.000001")]
    [InlineData("41b3de4355555553", "333333333.3333332")]
    [InlineData("41b3de4355555554", "333333333.33333325")]
    [InlineData("41b3de4355555555", "333333333.3333333")]
    [InlineData("41b3de4355555556", "333333333.3333334")]
    [InlineData("41b3de4355555557", "333333333.33333343")]
    [InlineData("becbf647612f3696", "-0.0000033333333333333333")]
    [InlineData("43143ff3c1cb0959", "1424953923781206.2")]
    public void A_number_takes_its_ECMAScript_form(string bits, string expected)
    {
        var value = BitConverter.Int64BitsToDouble(long.Parse(bits, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        Assert.Equal(expected, CanonicalJson.FormatNumber(value));
    }

    [Theory]
    [InlineData("7fffffffffffffff")]
    [InlineData("7ff0000000000000")]
    public void NaN_and_infinity_have_no_form(string bits)
    {
        var value = BitConverter.Int64BitsToDouble(long.Parse(bits, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        Assert.Throws<InvalidOperationException>(() => CanonicalJson.FormatNumber(value));
    }

    [Fact]
    public void The_worked_example_of_RFC_8785_3_2_comes_out_byte_for_byte()
    {
        const string input = """
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """;
        const string expected =
            """{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}""";
        Assert.Equal(expected, Encoding.UTF8.GetString(CanonicalJson.Encode(JsonElement.Parse(input))));
    }

    [Fact]
    public void Members_are_sorted_by_UTF16_code_units()
    {
        // RFC 8785 3.2.3.
        const string input = """
            {"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
             "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}
            """;
        var order = JsonElement.Parse(CanonicalJson.Encode(JsonElement.Parse(input))).EnumerateObject().Select(m => m.Value.GetString());
        Assert.Equal(
            ["Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign", "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh"],
            order);
    }

    [Fact]
    public void Encoding_is_stable_under_order_and_spelling()
    {
        var random = new Random(8785);
        for (var i = 0; i < 500; i++)
        {
            var node = RandomNode(random, 4);
            var once = CanonicalJson.Encode(node);
            Assert.Equal(once, CanonicalJson.Encode(JsonElement.Parse(once)));
            var indented = JsonSerializer.SerializeToUtf8Bytes(Shuffled(JsonNode.Parse(once), random), new JsonSerializerOptions { WriteIndented = true });
            Assert.Equal(once, CanonicalJson.Encode(JsonElement.Parse(indented)));
        }
    }

    [Fact]
    public void Every_finite_double_is_given_back_by_its_form()
    {
        var random = new Random(1985);
        var bytes = new byte[8];
        for (var i = 0; i < 20_000; i++)
        {
            random.NextBytes(bytes);
            var value = BitConverter.Int64BitsToDouble(BinaryPrimitives.ReadInt64LittleEndian(bytes));
            if (double.IsFinite(value))
            {
                Assert.Equal(value, double.Parse(CanonicalJson.FormatNumber(value), CultureInfo.InvariantCulture));
            }
        }
    }

    [Fact]
    public void A_member_named_twice_has_no_canonical_form() =>
        Assert.Throws<InvalidOperationException>(() => CanonicalJson.Encode(JsonElement.Parse("""{"a":1,"a":2}""")));

    private static JsonNode? RandomNode(Random random, int depth) => random.Next(depth > 0 ? 6 : 4) switch
    {
        0 => null,
        1 => random.Next(2) == 0,
        2 => JsonValue.Create(Math.Round((random.NextDouble() * 2e6) - 1e6, random.Next(8))),
        3 => RandomText(random),
        4 => new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => RandomNode(random, depth - 1))]),
        _ => new JsonObject(Enumerable.Range(0, random.Next(5)).Select(_ => RandomText(random)).Distinct(StringComparer.Ordinal)
            .Select(name => KeyValuePair.Create(name, RandomNode(random, depth - 1)))),
    };

    private static string RandomText(Random random)
    {
        string[] atoms = ["a", "Z", "中", "药", "\u0001", "\n", "\"", "\\", "/", "😀", "\u007f", "é", " "];
        return string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => atoms[random.Next(atoms.Length)]));
    }

    private static JsonNode? Shuffled(JsonNode? node, Random random) => node switch
    {
        JsonObject o => new JsonObject(o.OrderBy(_ => random.Next()).Select(m => KeyValuePair.Create(m.Key, Shuffled(m.Value, random)))),
        JsonArray a => new JsonArray([.. a.Select(item => Shuffled(item, random))]),
        _ => node?.DeepClone(),
    };
}
