using System.Globalization;
using System.Text;
using Trust.Kernel.Text;

namespace Trust.Kernel.Tests;

/// <summary>UAX #15, with characters of NormalizationTest.txt.</summary>
public sealed class NormalFormCTests
{
    [Theory]
    [InlineData("", true)]
    [InlineData("张三·abc é ½ 𠮷〇", true)]
    [InlineData("\ufa0e\ufa0f\ufa11\ufa13\ufa14\ufa1f\ufa21\ufa23\ufa24\ufa27\ufa28\ufa29", true)] // the twelve unified ones among the compatibility ideographs
    [InlineData("\ufa10", false)]
    [InlineData("\uac00", true)]
    [InlineData("\u0f71\u0f72", true)] // Tibetan vowels in the order of their classes
    [InlineData("\u0f72\u0f71", false)]
    [InlineData("\u0316\u0315", true)]
    [InlineData("\u0315\u0316", false)]
    [InlineData("e\u0301", false)]
    [InlineData("\u212b", false)]
    [InlineData("\u0344", false)]
    [InlineData("\u0958", false)]
    [InlineData("\u09be", false)]
    [InlineData("\u1161", false)]
    [InlineData("\ud834\udd5e", false)]
    [InlineData("\ud87e\udc00", false)] // U+2F800
    [InlineData("\ud81a\udf68", true)] // no mark: U+16B68
    public void Text_is_certain_or_not(string text, bool certain) => Assert.Equal(certain, NormalFormC.IsCertain(text));

    // Every character that .NET knows and that carries a combining class is a mark; letters and signs that change stand in the table without one.
    [Fact]
    public void No_letter_of_a_living_alphabet_or_unified_ideograph_is_uncertain()
    {
        foreach (var (first, last) in new[] { (0x20, 0x2FF), (0x370, 0x373), (0x410, 0x44F), (0x621, 0x64A), (0x1820, 0x1878), (0x4E00, 0x9FFF), (0xA000, 0xA48C), (0xAC00, 0xD7A3), (0x20000, 0x2A6DF) })
        {
            for (var c = first; c <= last; c++)
            {
                Assert.True(NormalFormC.IsCertain(char.ConvertFromUtf32(c)), c.ToString("X", CultureInfo.InvariantCulture) + " " + Rune.GetUnicodeCategory(new Rune(c)));
            }
        }
    }
}
