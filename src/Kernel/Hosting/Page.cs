using System.Buffers.Binary;
using System.Buffers.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Trust.Kernel.Hosting;

/// <summary>A row's place in a list that is ordered by instant and then identifier, both unchanging: a row that comes or goes moves no other.</summary>
/// <param name="At">The instant, in microseconds as PostgreSQL keeps them.</param>
/// <param name="Id">The identifier.</param>
public readonly record struct Cursor(DateTimeOffset At, Guid Id)
{
    private const int Length = 24;

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    public static bool TryParse(string? text, out Cursor cursor)
    {
        cursor = default;
        Span<byte> bytes = stackalloc byte[Length + 1];
        if (text is not { Length: Length / 3 * 4 } || Base64Url.DecodeFromChars(text, bytes, out _, out var written) != System.Buffers.OperationStatus.Done || written != Length)
        {
            return false;
        }

        var ticks = BinaryPrimitives.ReadInt64BigEndian(bytes);
        if (ticks < DateTimeOffset.MinValue.Ticks || ticks > DateTimeOffset.MaxValue.Ticks)
        {
            return false;
        }

        cursor = new Cursor(new DateTimeOffset(ticks, TimeSpan.Zero), new Guid(bytes[8..Length], bigEndian: true));
        return true;
    }

    /// <summary>base64url; callers hand it back and read nothing from it.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        BinaryPrimitives.WriteInt64BigEndian(bytes, At.UtcTicks);
        Id.TryWriteBytes(bytes[8..], bigEndian: true, out _);
        return Base64Url.EncodeToString(bytes);
    }
}

/// <summary>
/// One page of a list: the caller asks by <c>after</c> and <c>limit</c>, and the answer names the next page in a Link header (RFC 8288,
/// <c>rel="next"</c>) while there is one.
/// </summary>
/// <param name="After">Rows behind this place.</param>
/// <param name="Limit">Most rows.</param>
public sealed record Page(Cursor After, int Limit)
{
    /// <summary>Rows of a page when the caller names no limit.</summary>
    public const int Usual = 100;

    /// <summary>Most rows of a page.</summary>
    public const int Most = 1000;

    /// <summary>Rows to read: one more than the page holds tells whether another follows.</summary>
    public int Fetch => Limit + 1;

    /// <summary>Reads what a caller asked for.</summary>
    /// <param name="after">Query parameter: the place the last page ended at.</param>
    /// <param name="limit">Query parameter: 1 to <see cref="Most"/>.</param>
    /// <param name="most">Rows that one answer can hold, where that is less; the pages behind it hold the others.</param>
    /// <returns>Null when either is malformed (<see cref="CommonRefusals.MalformedPage"/>).</returns>
    public static Page? Of(string? after, int? limit, int most = Most)
    {
        var from = new Cursor(DateTimeOffset.UnixEpoch, Guid.Empty);
        return limit is < 1 or > Most || (after is not null && !Cursor.TryParse(after, out from)) ? null : new Page(from, Math.Min(limit ?? Usual, most));
    }

    /// <summary>Takes the page from the rows read, and names the next one in the answer's header.</summary>
    /// <param name="context">The request that is answered.</param>
    /// <param name="rows">At most <see cref="Fetch"/>, in the list's order.</param>
    /// <param name="place">Where a row stands.</param>
    public IReadOnlyList<T> Take<T>(HttpContext context, List<T> rows, Func<T, Cursor> place)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(place);
        if (rows.Count <= Limit)
        {
            return rows;
        }

        var query = context.Request.Query.Where(p => p.Key is not ("after" or "limit")).Select(p => KeyValuePair.Create<string, string?>(p.Key, p.Value))
            .Append(new("after", place(rows[Limit - 1]).ToString())).Append(new("limit", Limit.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        var next = QueryHelpers.AddQueryString(context.Request.PathBase + context.Request.Path, query);
        context.Response.Headers.Link = $"<{next}>; rel=\"next\"";
        return rows[..Limit];
    }
}
