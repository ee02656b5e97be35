import { defineView } from 'millrace'

interface Order {
  id: bigint
  customer_id: bigint | null
  status: string
  placed_at: string
  note: string | null
}

interface Customer {
  id: bigint
  name: string
  email: string
  city: string | null
}

interface Item {
  order_id: bigint
  line: number
  sku: string
  quantity: number
}

interface Product {
  sku: string
  title: string
  price: string
}

/** An order as a search result or a page shows it: its customer in it, and what was bought. */
export const orders = defineView(({ table }) => {
  const products = table<Product>('db.public.products')
  const items = table<Item>('db.public.order_items').join(products, {
    on: ({ sku }) => sku,
    select: ({ order_id, line, sku, quantity }, { title, price }) => ({
      ...{ order_id, line, sku, title, quantity, price },
    }),
  })
  return table<Order>('db.public.orders')
    .leftJoin(table<Customer>('db.public.customers'), {
      on: ({ customer_id }) => customer_id,
      select: ({ id, status, placed_at, note }, customer) => ({
        ...{ id, status, placed_at, note },
        customer: customer && { name: customer.name, email: customer.email, city: customer.city },
      }),
    })
    .nest(items, {
      on: ({ order_id }) => order_id,
      select: (order, items) => ({
        ...order,
        items: items.map(({ line, sku, title, quantity, price }) => ({
          ...{ line, sku, title, quantity, price },
        })),
      }),
    })
})
